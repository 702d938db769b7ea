"""Deliveries: planned as the very files, guarded, sent once.

deliveries/<name>/<snapshot>/files/<file>[.ready]   what goes out, byte for byte
deliveries/<name>/<snapshot>/rows.parquet           the rows as the receiver has them then
deliveries/<name>/<snapshot>/journal/*.json         how far the sending came
deliveries/<name>/CURRENT                           what was delivered last under this name
receivers/<target>/...                              what a receiver has: the base of the next plan
"""
