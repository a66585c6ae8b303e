"""Jobs: YAML files worked off through the same queue as everything else, and what is made of their pieces.

`document` is what a job file says, `speech` long text as sound. Above them, each on the one before: `plan` (tasks, pieces, takes,
queue items; pure), `store` (the files), `state` (what is there of a job), `executor` (one run of a plan), `orchestrator` (plans,
and whose turn it is), `background` (what runs without a page) and `manager` (the one door for page, command line and programs).
"""
