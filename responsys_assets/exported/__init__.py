"""Exports as they were sent: found on servers, decided on, fetched into the lake."""
