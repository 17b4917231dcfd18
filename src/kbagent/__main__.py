"""`python -m kbagent` is `kbagent`."""

from kbagent.cli.app import main

if __name__ == "__main__":
    main()
