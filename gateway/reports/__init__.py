"""Reports for people: one self-contained HTML file each, with plots where the extra `plots` is installed."""
