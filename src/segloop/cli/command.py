"""The command itself: its verbs, and how errors end it."""

from __future__ import annotations

import io
import traceback

import click

from segloop.cli.compare import compare
from segloop.cli.dataset import dataset
from segloop.cli.demo import demo
from segloop.cli.doctor import doctor
from segloop.cli.evaluate import evaluate
from segloop.cli.helper import helper
from segloop.cli.model import model
from segloop.cli.output import say
from segloop.cli.predict import predict
from segloop.cli.run_task import run_task
from segloop.cli.threshold import threshold
from segloop.cli.train import train
from segloop.core.errors import Cancelled, SegloopError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="napari-segloop", prog_name="segloop")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def segloop(context: click.Context, debug: bool) -> None:
    """Curate, train and predict: deep-learning segmentation of 2D and 3D microscopy."""
    context.obj = {"debug": debug}


for _verb in (demo, dataset, train, predict, threshold, evaluate, compare, model, doctor, helper, run_task):
    segloop.add_command(_verb)


def run(arguments: list[str]) -> int:
    """Run the command and return its exit status; an error becomes one line."""
    # --debug may stand anywhere, also behind the verb.
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        status = segloop.main(["--debug", *arguments] if debug else arguments, standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        say(shown.getvalue().rstrip("\n"), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("Interrupted. Everything finished so far is kept.", err=True)
        return 130
    except Cancelled as error:
        say(str(error), err=True)
        return 1
    except SegloopError as error:
        if debug:
            traceback.print_exc()
        say(f"Error: {error}", err=True)
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        say(
            f"Error: {type(error).__name__}: {error} (unexpected; run again with --debug and report it)",
            err=True,
        )
        return 1
