"""Text as data: tokens and identifiers, normalisation, redaction."""
