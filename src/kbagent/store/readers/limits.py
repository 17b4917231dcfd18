"""How much of a foreign file is believed: sizes beyond which a row or a file is refused.

The numbers are far above what ticket systems write (Jira allows 32,767 characters in a field, a
Zendesk comment 65,535) and far below what would fill the memory of a small machine.
"""

HEAD_BYTES = 4 << 20  # bytes looked at to recognise a format; a first row may hold a megabyte
ROW_BYTES = 16 << 20  # bytes of one row of a table or one item of a JSON list
NESTING = 64  # levels of lists and objects within one item
FACETS_PER_CASE = 400  # pairs; beyond that an export is nesting something that is no attribute
FACET_CHARS = 2_000  # characters of one facet value; longer ones are cut and end in "…"
REJECTED_CHARS = 2_000  # characters of a rejected row that are shown again
GZIP_RATIO = 150  # text compresses 3 to 30 times; deflate's maximum is 1,032
GZIP_FREE_BYTES = 256 << 20  # uncompressed bytes below which the ratio does not matter
WORKBOOK_BYTES = 2 << 30  # uncompressed bytes of all parts of an XLSX file
WORKBOOK_STRINGS_BYTES = 256 << 20  # uncompressed bytes of its shared strings, held in memory
COLUMNS = 4_096  # columns of a table
RESYNCHRONISATIONS = 50  # times a table may be read again after an unclosed quote
