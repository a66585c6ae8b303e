"""What the writer of a job file sees: values that cascade, and every mistake with its place and its remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.document.edit import set_values
from cosmos_workflow.jobs.document.loading import parse_job
from cosmos_workflow.jobs.document.tasks import JobFile, is_slug, slug
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.yaml_places import MAX_YAML_BYTES, JobFileError, Problem, read_text_file

ASSETS = Path(__file__).parents[2] / "assets" / "jobs"


def problems_of(text: str, origin: Path | None = None, root: Path | None = None) -> list[Problem]:
    """What is wrong in a job file's text."""
    with pytest.raises(JobFileError) as caught:
        parse_job(text, origin, root=root)
    return caught.value.problems


def only_problem(text: str) -> Problem:
    """The one thing that is wrong."""
    (problem,) = problems_of(text)
    return problem


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_sample_job_is_right(path: Path) -> None:
    job = parse_job(path.read_text(encoding="utf-8"), path)
    assert job.tasks
    assert all(task.chunks for task in job.tasks)


def test_nearer_value_wins_and_missing_ones_are_inherited() -> None:
    job = parse_job(
        """
engine: espeak
params: {rate: 120, pitch: 30}
audio: {pause: {sentence: 1, paragraph: 2}, format: flac}
speakers: {tom: {pitch: 20}}
tasks:
  - text: a
  - text: <speaker:tom> b
    params: {rate: 140}
    audio: {pause: {sentence: 0.5}}
    speakers: {tom: {volume: 50}}
"""
    )
    first, second = job.tasks
    assert first.voices[""].params["rate"] == 120
    assert second.voices[""].params["rate"] == 140
    assert second.voices[""].params["pitch"] == 30
    tom = second.voices["tom"].params
    assert (tom["rate"], tom["pitch"], tom["volume"]) == (140, 20, 50)
    assert (second.audio.pause.sentence, second.audio.pause.paragraph, second.audio.format) == (0.5, 2, "flac")
    assert first.audio.pause.sentence == 1


def test_params_of_a_job_mean_nothing_to_another_engine(tmp_path: Path) -> None:
    shutil.copy(ASSETS.parent / "samples" / "street.mp4", tmp_path / "clip.mp4")
    text = """
engine: espeak
params: {rate: 120}
tasks:
  - engine: control-preview
    text: a street
    inputs: {video: clip.mp4}
"""
    job = parse_job(text, tmp_path / "job.yaml")
    assert "rate" not in job.tasks[0].voices[""].params
    assert not job.tasks[0].joined


def test_a_file_without_tasks_is_one_task() -> None:
    job = parse_job("engine: espeak\ntext: Hello.\n")
    assert [task.id for task in job.tasks] == ["job/1"]


def test_two_tasks_may_share_the_text_of_the_job() -> None:
    job = parse_job("engine: espeak\ntext: Hello.\ntasks: [{params: {voice: de}}, {params: {voice: fr}}]\n")
    assert [task.chunks[0].text for task in job.tasks] == ["Hello.", "Hello."]


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    problems = problems_of(
        """engin: espeak
engine: espeak
params: {rate: 900, ptch: 5}
tasks:
  - text: Good.
    audio: {format: ogg}
  - text: 5
"""
    )
    assert [(problem.place.line, problem.key) for problem in problems] == [
        (1, "engin"),
        (3, "params.rate"),
        (3, "params.ptch"),
        (6, "tasks[1].audio.format"),
        (7, "tasks[2].text"),
    ]
    assert [problem.place.column for problem in problems] == [1, 16, 21, 21, 11]
    messages = [problem.message for problem in problems]
    assert "did you mean 'engine'?" in messages[0]
    assert "a whole number from 80 to 450" in messages[1]
    assert "did you mean 'pitch'?" in messages[2]
    assert "wav, flac or mp3" in messages[3]
    assert "quotes" in messages[4]


def test_a_problem_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text("engine: espeak\ntasks:\n  - text: hi\n    rate: 5\n")
    with pytest.raises(JobFileError) as caught:
        parse_job(path.read_text(encoding="utf-8"), path)
    assert str(caught.value).startswith(f"{path}:4:5: tasks[1].rate: unknown key")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("engine: espeek\ntext: a", 1, "did you mean 'espeak'?"),
        ("text: a", 1, "the engine is missing"),
        ("engine: espeak", 1, "there is no text"),
        ("engine: espeak\ntext: ' '", 2, "empty"),
        ("engine: espeak\ntext: a\ntext_file: b", 3, "keep one"),
        ("engine: espeak\ntext: a\ncandidates: 3", 3, "has no seed"),
        ("engine: espeak\ntext: a\ncandidates: 0", 3, "from 1 to 20"),
        ("engine: espeak\ntext: a\nchunking: {target: 90, max: 50}", 3, "may not be above"),
        ("engine: espeak\ntext: a\nchunking: {max: 10001}", 3, "from 20 to 10000"),
        ("engine: espeak\ntext: a\nweights: {vis: 1}", 3, "unknown weight"),
        ("engine: espeak\ntext: a\nspeakers: {a b: {}}", 3, "letters, digits"),
        ("engine: espeak\ntext: a\nspeakers: {tom: {rate: 5}}", 3, "from 80 to 450"),
        ("engine: espeak\ntext: a\ninputs: {voice: x.wav}", 3, "takes no such file"),
        ("engine: espeak\ntext: a\nenabled: 1", 3, "true or false"),
        ("engine: espeak\ntext: a\ntext_file:\ntasks: []", 4, "a list of tasks"),
        ("engine: espeak\ntasks: [{text: a, name: One}, {text: b, name: one}]", 2, "has this name already"),
        ("engine: espeak\ntasks: [{text: a, name: '2'}, {text: b}]", 2, "has this name already"),
        ("engine: espeak\ntext: |\n  one\n  <speaker:bob> two\n", 4, "'bob' isn't defined"),
        ("engine: espeak\ntext: |\n  one\n  <speaker bob> two\n", 4, "write <speaker:id>"),
        ("engine: control-preview\ntext: a", 2, "'video' is missing"),
    ],
)
def test_one_mistake_one_place_one_sentence(text: str, line: int, words: str) -> None:
    problem = only_problem(text)
    assert problem.place.line == line
    assert words in problem.message
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("- a", 1, "lines of `key: value`"),
        ("a: [1", 1, "isn't YAML"),
        ("engine: espeak\n\ttext: a", 2, "spaces"),
        ("engine: espeak\ntext: a: b", 2, "colon"),
        ("engine: espeak\n---\nengine: espeak", 2, "one job"),
        ("engine: espeak\ntext: a\ntext: b", 3, "twice"),
        ("engine: !!python/object/apply:os.system [id]\ntext: a", 1, "tag"),
        ("<<: {engine: espeak}\nengine: espeak\ntext: a", 1, "merge keys"),
        ("a: \x07", 1, "U+0007"),
        ("[" * 5000, 1, "nested too deeply"),
        ("engine: espeak\ntasks:\n  - text: " + "[a, {b: " * 500, 3, "nested too deeply"),
        ("a: &a\n  b: *a", 2, "too much"),
        ("a: *b", 1, "undefined alias"),
        ("a: &x0 [y, y]\n" + "".join(f"k{i}: &x{i + 1} [*x{i}, *x{i}]\n" for i in range(40)), 1, "too much"),
    ],
    ids=range(15),
)
def test_what_is_no_job_at_all_is_said_in_a_sentence(text: str, line: int, words: str) -> None:
    assert any(words in problem.message and problem.place.line >= line for problem in problems_of(text))


def test_a_text_file_is_read_relative_to_the_job(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("\ufeffOne.\r\n\r\nTwo.\r\n", encoding="utf-8")
    path = tmp_path / "book.yaml"
    path.write_text("engine: espeak\ntext_file: book.txt\n")
    assert [chunk.text for chunk in parse_job(path.read_text(encoding="utf-8"), path).tasks[0].chunks] == ["One.", "Two."]


def test_a_mistake_in_a_text_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("One.\n\nTwo <speaker:zoe> three.\n")
    problem = problems_of("engine: espeak\ntext_file: book.txt\n", tmp_path / "book.yaml")[0]
    assert (problem.file, problem.place.line) == (str(tmp_path / "book.txt"), 3)


def test_a_text_file_that_isnt_text(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes(b"One.\n\xff\xfe\n")
    problem = problems_of("engine: espeak\ntext_file: book.txt\n", tmp_path / "book.yaml")[0]
    assert "book.txt:2" in problem.message
    assert "UTF-8" in problem.message


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "link.txt"])
def test_no_file_outside_the_folder_of_a_workspace_job(tmp_path: Path, name: str) -> None:
    root = tmp_path / "jobs"
    root.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    problem = problems_of(f"engine: espeak\ntext_file: {name}\n", root / "a.yaml", root)[0]
    assert "isn't inside the job's folder" in problem.message
    assert parse_job("engine: espeak\ntext_file: ../secret.txt\n", root / "a.yaml").tasks


def test_a_clip_that_isnt_one_is_told_at_its_key(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")
    (problem,) = problems_of("engine: control-preview\ntext: a\ninputs: {video: clip.mp4}\n", tmp_path / "a.yaml")
    assert (problem.place.line, problem.key) == (3, "inputs.video")
    assert "isn't a clip" in problem.message


@pytest.mark.parametrize(("key", "line"), [("video", 2), ("depth", 3), ("", 4)])
def test_where_a_refusal_stands_is_told_by_its_key_and_never_by_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, line: int
) -> None:
    def refuse(*_args: object) -> None:
        raise InputError("No: other.mp4 and the depth of the video.", key=key)

    monkeypatch.setattr(type(find_engine("control-preview")), "check", refuse)
    for name in ("one.mp4", "other.mp4"):
        (tmp_path / name).write_bytes(b"")
    text = "engine: control-preview\ninputs: {video: one.mp4,\n  depth: other.mp4}\ntext: hello\n"
    with pytest.raises(JobFileError) as caught:
        parse_job(text, tmp_path / "a.yaml")
    assert [problem.place.line for problem in caught.value.problems] == [line]


def test_a_missing_job_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can't be read"):
        read_text_file(tmp_path / "none.yaml", MAX_YAML_BYTES, "job file")


def test_the_sizes_of_pieces_follow_the_engine(tmp_path: Path) -> None:
    sentence = "This is a sentence of some length, and there are many of them. "
    job = parse_job(f"engine: chatterbox\ntext: {sentence * 40!r}\n", tmp_path / "a.yaml")
    limit = find_engine("chatterbox").max_text
    assert max(len(chunk.text) for chunk in job.tasks[0].chunks) <= min(460, limit)


def test_ssml_is_never_cut() -> None:
    text = f"<speak>{'Hello there, my friend. ' * 60}</speak>"
    job = parse_job(f"engine: espeak\nparams: {{ssml: true}}\ntext: {text!r}\n")
    assert len(job.tasks[0].chunks) == 1


def test_an_edit_keeps_the_comments() -> None:
    text = (ASSETS / "welcome.yaml").read_text()
    changed = set_values(text, {("enabled",): False, ("tasks", 1, "params", "rate"): 150})
    assert "{rate: 150}      # job -> task: the nearer value wins" in changed
    assert not parse_job(changed).enabled
    assert set_values(changed, {("enabled",): None, ("tasks", 1, "params", "rate"): 140}) == text


def test_an_edit_that_changes_nothing_gives_the_text_back() -> None:
    text = 'engine:   "espeak"   # mine\ntext: >-\n   odd\n   indent\n'
    assert set_values(text, {("engine",): "espeak", ("enabled",): None}) == text


def test_a_job_knows_its_tasks() -> None:
    job: JobFile = parse_job("engine: espeak\ntasks: [{text: a, name: Über Nacht}, {text: b}, {text: c, name: 夜}]\n")
    assert [task.key for task in job.tasks][:2] == ["über-nacht", "2"]
    assert job.task("2") is job.tasks[1]
    assert job.task("nothing") is None


def test_folded_text_has_no_marks_of_its_own() -> None:
    job = parse_job("job: x\nengine: espeak\ntasks:\n  - text: >-\n      hello\n      there\n", Path("x.yaml"))
    assert [chunk.text for task in job.tasks for chunk in task.chunks] == ["hello there"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("engine: espeak\ntasks:\n  - text: Take exit #5 and turn left.\n", (3, 21)),
        ("engine: espeak\ntext: We are # 1.\n", (2, 14)),
        ("engine: espeak\ntext: Two lines\n  of text #7 of it\n", (3, 11)),
    ],
)
def test_a_text_that_a_comment_would_cut_is_told_with_its_place(text: str, place: tuple[int, int]) -> None:
    problem = only_problem(text)
    assert (problem.place.line, problem.place.column) == place
    assert "takes for a comment" in problem.message


def test_a_text_in_quotes_and_a_comment_behind_another_value_are_left_alone() -> None:
    job = parse_job('engine: espeak\nparams: {rate: 140}  # slow\ntasks:\n  - text: "Exit #5."\n  - text: No#5\n')
    assert [task.chunks[0].text for task in job.tasks] == ["Exit #5.", "No#5"]


@pytest.mark.parametrize(
    ("first", "second"), [("Глава 1", "Часть 1"), ("Kapitel Ä", "Kapitel Ö"), ("第1章", "付録1"), ("अध्याय १", "भाग १")]
)
def test_names_of_any_script_are_names_of_their_own(first: str, second: str) -> None:
    job = parse_job(f"engine: espeak\ntasks:\n  - {{name: {first}, text: One.}}\n  - {{name: {second}, text: Two.}}\n")
    keys = [task.key for task in job.tasks]
    assert len({*keys}) == 2
    assert all(is_slug(key) and len(key.encode()) <= 96 for key in keys)


@pytest.mark.parametrize("name", ["..", "a/b", "", "A", "a b", "-a", "x" * 200, "a\0b", "e\u0301"])
def test_what_could_leave_its_folder_is_no_key(name: str) -> None:
    assert not is_slug(name)
    assert is_slug(slug(name))


def test_all_that_an_engine_refuses_is_told_at_once(orchestrator: TaskOrchestrator, tmp_path: Path) -> None:
    paragraphs = [f"Number {number} is {'refused' if number % 2 else 'fine'}." for number in range(1, 61)]
    (tmp_path / "book.txt").write_text("\n\n".join(paragraphs))
    (tmp_path / "book.yaml").write_text("engine: tone\ntext_file: book.txt\nchunking: {min: 0, target: 20, max: 40}\n")
    with pytest.raises(JobFileError) as caught:
        orchestrator.jobs.load(tmp_path / "book.yaml")
    problems = caught.value.problems
    assert [problem.place.line for problem in problems] == [*range(1, 81, 4), 81]
    assert "'Number 1 is refused.' is refused" in problems[0].message
    assert problems[-1].message == "10 more pieces are refused, from here on."


@pytest.mark.parametrize(("key", "pieces"), [("", 4), ("paragraphs: blank_line", 1), ("paragraphs: every_line", 4)])
def test_paragraphs_are_parted_as_the_job_says(orchestrator: TaskOrchestrator, tmp_path: Path, key: str, pieces: int) -> None:
    (tmp_path / "book.txt").write_text("A first line that ends.\nA second one.\nAnd a third one!\n“A fourth.”\n")
    (tmp_path / "book.yaml").write_text(f"engine: tone\ntext_file: book.txt\n{key}\n")
    assert len(orchestrator.jobs.load(tmp_path / "book.yaml").tasks[0].chunks) == pieces


def test_another_way_of_parting_paragraphs_is_refused(orchestrator: TaskOrchestrator, tmp_path: Path) -> None:
    (tmp_path / "book.yaml").write_text("engine: tone\ntext: Hello.\nparagraphs: lines\n")
    with pytest.raises(JobFileError, match="use blank_line, every_line or auto"):
        orchestrator.jobs.load(tmp_path / "book.yaml")
