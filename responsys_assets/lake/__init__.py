"""The lake: plain private files, published atomically; receipts and manifests are the truth."""
