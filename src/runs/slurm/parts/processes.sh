# One process; or one a GPU, each of which sees its own alone. They share the work as tasks do.
if ((processes_a_task > 1)); then
    IFS=, read -r -a gpus <<<"${CUDA_VISIBLE_DEVICES-}"
    if ((${#gpus[@]} != processes_a_task)); then
        echo "error: expected $processes_a_task GPUs," \
            "found CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES-}" >&2
        exit 1
    fi
    for gpu in "${gpus[@]}"; do
        CUDA_VISIBLE_DEVICES=$gpu "${command[@]}" &
        processes+=($!)
    done
else
    "${command[@]}" &
    processes+=($!)
fi
# A signal may have come before there was anybody to pass it on to.
if [[ $asked ]]; then pass_on "$asked"; fi

# The exit code of all: that of one that failed, or 75 if one was stopped, or 0.
code=0
for process in "${processes[@]}"; do
    while
        before=$signals
        wait "$process"
        status=$?
        # A signal ends `wait`, not the process.
        ((signals != before))
    do :; done
    # A process that was told to stop before it could listen has done nothing yet.
    if [[ $asked ]] && ((status == 128 + $(kill -l "$asked"))); then status=75; fi
    if ((status != 0 && (code == 0 || code == 75))); then code=$status; fi
done
((code == 75)) || exit "$code"

# Stopped before all was done: back into the queue. But not if Slurm itself is ending the job, since
# it was cancelled or is in the queue again already: then it is not running any more.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job=${job:-$SLURM_JOB_ID}
[[ $(scontrol show job "$job") == *JobState=RUNNING* ]] || exit 75
if ((${SLURM_RESTART_COUNT:-0} >= requeues)); then
    echo "error: was requeued $requeues times; submit again to go on" >&2
    exit 75
fi
echo "job $job goes back into the queue"
scontrol requeue "$job"
exit 75
