/// Nothing here yet.
