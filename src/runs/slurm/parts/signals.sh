# Slurm signals this shell before the time is up (--signal), and the shell passes it on: the program
# drops the block in hand, keeps what is finished, and exits with 75.
asked=
signals=0
processes=()
pass_on() {
    asked=$1
    signals=$((signals + 1))
    if ((${#processes[@]})); then kill -s "$asked" "${processes[@]}" 2>/dev/null; fi
}
trap 'pass_on USR1' USR1
trap 'pass_on TERM' TERM
