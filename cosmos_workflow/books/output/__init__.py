"""Books written as the files that players know: sound, chapters, cover and tags, by PyAV."""
