"""Readers of exports: from files to a stream of cases and rejects.

`open_export` is the door. Formats that are known by name are mappings in `presets/`.
"""

from kbagent.store.readers.export import Export, format_names, open_export, show_mapping

__all__ = ["Export", "format_names", "open_export", "show_mapping"]
