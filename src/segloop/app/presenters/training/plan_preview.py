"""The plan of the next training, worked out while the user looks at it."""

from __future__ import annotations

from collections.abc import Sequence

from psygnal import Signal

from segloop.app.presenters.background import Background, Clock
from segloop.app.training import plan_training
from segloop.artifacts.run.plan import TrainingPlan
from segloop.config.train import TrainConfig

_LANE = "plan"
_DELAY_S = 0.5  # after the last change of a setting


class PlanPreview:
    """Makes the plan of a config in the background, but only while somebody looks at it.

    Parameters
    ----------
    background : Background
        Make the plan; another process is asked for the devices of this computer.
    clock : Clock
        Waits until the user has stopped typing.
    """

    changed = Signal()

    def __init__(self, background: Background, clock: Clock) -> None:
        self._background = background
        self._timer = clock.timer(_DELAY_S, self._make)
        self._config: TrainConfig | None = None
        self._wanted = False
        self._plan: TrainingPlan | None = None
        self._problem = ""

    @property
    def notes(self) -> Sequence[str]:
        """What will be chosen automatically and why, one sentence each; or why that is not known."""
        if self._config is None:
            return ("Choose a dataset with accepted samples first.",)
        if self._problem:
            return (self._problem,)
        if self._plan is None:
            return ("Working out the plan…",)
        return (*self._plan.notes, *self._plan.warnings, *self._plan.problems)

    def set_config(self, config: TrainConfig | None, problem: str = "") -> None:
        """Plan with another config.

        Parameters
        ----------
        config : TrainConfig or None
            Names its dataset; None if there is nothing to plan for.
        problem : str
            Why there can't be a plan.
        """
        self.stop()
        self._config, self._plan, self._problem = config, None, problem
        self.changed.emit()
        self._start()

    def set_wanted(self, wanted: bool) -> None:
        """Say whether the user looks at the plan."""
        self._wanted = wanted
        if self._plan is None:
            self._start()

    def stop(self) -> None:
        """Make no plan."""
        self._timer.stop()
        self._background.drop(_LANE)

    def _start(self) -> None:
        if self._wanted and self._config is not None and not self._problem:
            self._timer.start()

    def _make(self) -> None:
        self._background.run(
            plan_training,
            self._config,
            lane=_LANE,
            on_result=self._on_plan,
            on_error=self._on_error,
            import_torch=False,
        )

    def _on_plan(self, plan: TrainingPlan) -> None:
        self._plan = plan
        self.changed.emit()

    def _on_error(self, error: Exception) -> None:
        self._problem = str(error)
        self.changed.emit()
