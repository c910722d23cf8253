"""The control plane at scale: how fast jobs become pods, and what that costs.

One run brings up a control plane of its own for each subject (our operator, and its peers), puts the
same load on it, and reads all times from the watches of one observer process:

    settings    what can be set
    programs    what is built, and from which Go module
    processes   child processes: started, measured, ended
    plane       etcd, API server, controller manager, scheduler
    nodes       kwok: simulated nodes, pods that run five seconds
    client      requests of the load generator
    observer    the process that watches; timeline reads what it saw
    audit       requests to the API server, by who sent them
    machine     how busy the machine is with other things
    subjects/   how each operator is installed, and what its job looks like
    loads       burst, steady stream, probes
    campaign    the phases of one subject
    goals       the figures against their goals
    report      the JSON file and the chart
"""
