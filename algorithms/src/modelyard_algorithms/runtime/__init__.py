"""What every workload needs: the outcome, progress reports, and the items of a training on the local disk.

Nothing here knows an algorithm or imports torch.
"""
