"""What every workload needs: launching, distribution, checkpoints, metrics, reports, last words.

Nothing here knows an algorithm. ``launch``, ``outcome``, ``prefetch`` and ``reporting`` are light and
import no torch.
"""
