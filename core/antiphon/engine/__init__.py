"""The renderer and the main process's end of it.

The renderer is a process of its own: it knows files, gains, times and sinks, nothing else. This
module imports nothing, so that the renderer starts small and fast.
"""
