"""The letters by which a person tells batch groups apart."""


def letters(index: int) -> str:
    """A, B, ... Z, AA, ... for 0, 1, ..."""
    text = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        text = chr(ord("A") + digit) + text
    return text
