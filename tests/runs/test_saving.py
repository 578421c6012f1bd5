"""The state of a long run is saved in time."""

from types import SimpleNamespace

from decondense.runs import saving


def test_the_state_is_saved_when_it_is_late_at_a_step_that_is_logged(monkeypatch):
    callback = saving.SaveInTime()
    asked = lambda step, processes=1: callback.on_step_end(
        SimpleNamespace(logging_steps=4, world_size=processes), SimpleNamespace(global_step=step), control
    )
    control = SimpleNamespace(should_save=False, should_training_stop=False)
    callback.on_train_begin(None, None, None)
    asked(4)
    assert not control.should_save, "ten minutes have not gone by"
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0)
    asked(5)
    asked(4, processes=2)
    assert not control.should_save
    asked(8)
    assert control.should_save
    monkeypatch.setattr(saving, "SAVE_SECONDS", 60)
    control.should_save = False
    callback.last -= 61
    callback.on_save(None, None, None)
    asked(12)
    assert not control.should_save, "it was saved just now"


def test_the_state_after_the_last_step_is_never_saved(monkeypatch):
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0)
    callback = saving.SaveInTime()
    callback.on_train_begin(None, None, None)
    control = SimpleNamespace(should_save=True, should_training_stop=True)
    args = SimpleNamespace(logging_steps=1, world_size=1)
    callback.on_step_end(args, SimpleNamespace(global_step=30), control)
    assert not control.should_save
