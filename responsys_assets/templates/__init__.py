"""What `responsys init` writes; plain files, read as package data."""
