"""What a command takes for a terminal."""

import io


class Terminal(io.StringIO):
    """Text that is written as to a screen."""

    def isatty(self):
        return True
