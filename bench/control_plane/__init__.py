"""Throughput and cost of the control plane: how fast jobs get their pods, and what that costs.

A run creates a new control plane for each subject (our operator and its peers), applies the same load to
each, and takes all times from the watches of one observer process:

    settings    the settings of a run
    programs    the programs, built from Go modules
    processes   child processes: start, measure, stop
    plane       etcd, API server, controller manager, scheduler
    nodes       kwok: simulated nodes, pods that run five seconds
    client      requests of the load generator
    observer    the process that watches; timeline reads its output
    audit       requests to the API server, by client
    machine     CPU used by other processes
    subjects/   installation and jobs of each operator
    loads       burst, steady rate, probes
    campaign    the phases of one subject
    goals       the figures, compared with their goals
    report      the JSON file and the chart
"""
