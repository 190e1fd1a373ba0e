"""The tutorial, executed: a program does what its prose says, and believes nothing.

What the reader must do stands in bold, as a verb. Nothing hidden steers the program.

- ``document.py``: what the Markdown says, as instructions
- ``files.py``: create, replace, change, copy, delete and read files
- ``transcripts.py``: what is typed in a terminal, and what comes
- ``terminal.py``: real terminals
- ``browser.py``: a real browser
- ``reader.py``: the reader, who follows the instructions
- ``surroundings.py``: the reader's copy of the repository, and what they need
- ``pages.py``: what must be true of every page
- ``claims.py``: what must be true of the tutorial, and needs no running

``python -m tests.tutorial --help`` tells how an author uses it.
"""
