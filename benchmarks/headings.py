"""The headings of the tables that the benchmark prints, for parts that set up no Django too."""


def heading(title: str) -> str:
    """Return a title with a line under it."""
    return f"\n{title}\n{'-' * len(title)}"
