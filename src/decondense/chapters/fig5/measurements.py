"""The teacher of a run, measured on the windows of its students, with the record that keeps it."""

from ... import corpora, measurement, models, records, surveys
from ...condensation import Condensation
from ...corpora import streams
from ...models import pocket
from ...runs import read
from ...runs.run import Run
from ...surveys import Measured


def teacher_of(run: Run) -> Measured:
    """The teacher of a run, on the held-out windows on which the run's own geometry is measured; read or measured.

    Raises
        ValueError: the run had no teacher; and what `models.load` and `corpora.load` raise.
    """
    config = run.record.content["config"]
    if not config["distillation"]:
        raise ValueError(f"The run {run.label!r} had no teacher. Give one with a 'distillation' in its configuration.")
    names = ("corpus", "tokenizer", "texts", "text_length", "sources", "train_tokens")
    asked = {"teacher": config["distillation"]["teacher"], **{name: config[name] for name in names}, "seed": 0}
    asked |= {"tokens": list(read(config).needs)}  # of a corpus that is read row by row they decide what is held out

    surroundings = surveys.surroundings(asked["corpus"], tuple(asked["sources"]))
    name = f"fig5-teacher-{asked['teacher'].rstrip('/').split('/')[-1].lower()}"
    record = records.run(name, asked, lambda: _look(asked), __name__, surroundings=surroundings, committed=True)
    return Measured(Condensation.load(record.arrays), record)


def _look(asked: dict) -> tuple[dict, bytes]:
    teacher, sources, length = asked["teacher"], tuple(asked["sources"]), asked["text_length"]
    trained = {"train_tokens": asked["train_tokens"]} if teacher in pocket.SIZES else {}
    loaded = models.load(teacher, sources=sources, seed=0, **trained)
    corpus, tokenizer = corpora.load(asked["corpus"], sources), models.load_tokenizer(asked["tokenizer"], sources)
    held_out = streams.stream(corpus, tokenizer, streams.Needs(*asked["tokens"])).held_out
    windows = streams.spread(held_out, asked["texts"], length)
    result = measurement.measure(loaded.model, None, windows, max_length=length, name=teacher, progress=False)
    return surveys.summary(result, loaded.provenance, corpus), result.to_bytes()
