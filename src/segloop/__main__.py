"""``python -m segloop`` is the ``segloop`` command."""

from segloop.cli import main

if __name__ == "__main__":
    main()
