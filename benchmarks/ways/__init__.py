"""Ways to do a piece of work: ours, the parts of the floor, alternatives.

A way is a generator function of the folder of `project.make`: up to its first `yield` it
prepares, which does not count; then it works.
"""
