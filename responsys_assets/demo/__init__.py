"""A simulated Responsys account: people, exporter, SFTP server, and a project for it."""
