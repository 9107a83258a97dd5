command -v sbatch >/dev/null || {
    echo "error: there is no sbatch here; submit where Slurm is" >&2
    exit 1
}
for path in "${needed[@]}"; do
    [[ -e $path ]] || {
        echo "error: there is no $path here; submit in the folder in which this was written" >&2
        exit 1
    }
done

# All parts are submitted, or none.
jobs=()
trap 'if ((${#jobs[@]})); then scancel "${jobs[@]}"; fi' ERR

# `afterany`, not `afterok`: what a task that died has left undone, the next part's tasks do, or
# the last part names it.
dependency=()
for part in "${parts[@]}"; do
    job=$(sbatch --parsable "${dependency[@]}" "$@" "$scripts/$part.sbatch")
    job=${job%%;*}
    jobs+=("$job")
    dependency=(--dependency="afterany:$job")
    echo "$part: job $job"
done
