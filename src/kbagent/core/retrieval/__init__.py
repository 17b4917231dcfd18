"""From two candidate lists to ranked issues: filters, fusion, grouping, confidence."""
