"""When the state of a training run is saved, beside every so many steps."""

import time

from transformers import TrainerCallback

SAVE_SECONDS = 600  # between two savings, at most


class SaveInTime(TrainerCallback):
    """Saves the state when `SAVE_SECONDS` went by since the last time: a tenth of the steps may be hours.

    Only at a step that is logged, as all saving here, and in one process: many would not agree on the time.

    Never after the last step: the Trainer, when it goes on from there, makes one step more before it stops. It must
    come after every callback that ends the training.
    """

    def on_train_begin(self, args, state, control, **_) -> None:
        self.last = time.monotonic()

    def on_save(self, args, state, control, **_) -> None:
        self.last = time.monotonic()

    def on_step_end(self, args, state, control, **_) -> None:
        late = time.monotonic() - self.last >= SAVE_SECONDS
        if late and args.world_size == 1 and state.global_step % args.logging_steps == 0:
            control.should_save = True
        if control.should_training_stop:
            control.should_save = False
