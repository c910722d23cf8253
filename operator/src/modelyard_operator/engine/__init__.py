"""The doing: caches become an Observed, a plan is decided, and then carried out.

``cache`` hears the watches, ``observe`` gathers what a decision depends on, ``perform`` carries a Plan
out, ``loop`` has the workers, ``outcome`` says what follows an error.
"""
