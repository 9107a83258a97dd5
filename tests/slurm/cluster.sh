# shellcheck shell=bash
# A Slurm cluster on one machine: munge, a controller and four nodes of one processor each, on the
# loopback device, in a folder of their own. To be sourced by what has set `place`, that folder.
#
#   start_cluster   starts all of it, and sets SLURM_CONF
#   stop_cluster    ends all jobs and all of it, however far it came
#   until_true      waits for a command to succeed

nodes=4
daemons=()

# until_true SECONDS WHAT COMMAND…
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if ((SECONDS > end)); then
            echo "error: no $what in time" >&2
            return 1
        fi
        sleep 0.2
    done
}

# The first of as many ports in a row as there are daemons, on which nobody listens.
free_ports() {
    local first port
    while true; do
        first=$((20000 + RANDOM % 10000))
        for ((port = first; port <= first + nodes; port++)); do
            if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue 2; fi
        done
        echo "$first"
        return
    done
}

write_configuration() {
    local user port node plugin
    : "${place:?a folder for the cluster}"
    user=$(id -un)
    port=$(free_ports)
    mkdir -p "$place"/{state,spool,log,munge}
    # Munge insists on folders that nobody else can change, and everybody can pass.
    chmod 711 "$place" "$place/munge"
    head -c 1024 /dev/urandom >"$place/munge/key"
    chmod 600 "$place/munge/key"
    cat >"$place/slurm.conf" <<CONFIGURATION
ClusterName=occlumap
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$port
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$place/munge/socket
CredType=cred/munge
StateSaveLocation=$place/state
SlurmdSpoolDir=$place/spool/%n
SlurmctldPidFile=$place/slurmctld.pid
SlurmdPidFile=$place/%n.pid
SlurmctldLogFile=$place/log/slurmctld
SlurmdLogFile=$place/log/%n
# What a bare container has: no control groups, no systemd, no accounting.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
# A node has one processor, whatever the machine has; tasks come and go quickly.
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2
# A machine that crawls is not one that is down, and finished jobs can be asked about.
SlurmdTimeout=0
MessageTimeout=60
BatchStartTimeout=300
MinJobAge=86400
ReturnToService=2
CONFIGURATION
    for ((node = 1; node <= nodes; node++)); do
        mkdir -p "$place/spool/node$node"
        printf 'NodeName=node%d NodeHostname=%s NodeAddr=127.0.0.1 Port=%d CPUs=1 RealMemory=8192\n' \
            "$node" "$(hostname -s)" $((port + node)) >>"$place/slurm.conf"
    done
    echo 'PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP' >>"$place/slurm.conf"
    # Newer versions can do without control groups altogether; older ones want a plugin, and of the
    # two the first touches nothing as long as nothing is asked of it.
    plugin=disabled
    if [[ $(slurmd -V) == *' '2[0-2].* ]]; then plugin=cgroup/v1; fi
    echo "CgroupPlugin=$plugin" >"$place/cgroup.conf"
    export SLURM_CONF=$place/slurm.conf
}

# start_daemon NAME COMMAND…
start_daemon() {
    local name=$1
    shift
    "$@" >"$place/log/$name.out" 2>&1 &
    daemons+=($!)
}

all_idle() {
    [[ $(sinfo --noheader --Node --states=idle --format=%N 2>/dev/null | wc -l) == "$nodes" ]]
}

start_cluster() {
    local node munge=$place/munge
    write_configuration
    start_daemon munged munged --foreground --socket="$munge/socket" --key-file="$munge/key" \
        --pid-file="$munge/pid" --log-file="$munge/log" --seed-file="$munge/seed"
    until_true 60 'munge' test -S "$munge/socket"
    start_daemon slurmctld slurmctld -D -c
    for ((node = 1; node <= nodes; node++)); do
        start_daemon "slurmd$node" slurmd -D -N "node$node"
    done
    until_true 180 'idle nodes' all_idle
}

no_jobs() {
    [[ -z $(squeue --noheader 2>/dev/null) ]]
}

stop_cluster() {
    local process
    if ((${#daemons[@]})); then
        scancel --quiet --user="$(id -un)" >/dev/null 2>&1 || true
        until_true 60 'end of all jobs' no_jobs || true
        kill "${daemons[@]}" 2>/dev/null || true
        wait "${daemons[@]}" 2>/dev/null || true
    fi
    # What a node has started and not ended knows this cluster's configuration.
    for process in /proc/[0-9]*; do
        if [[ ${process#/proc/} != "$$" && -n ${SLURM_CONF-} ]] &&
            tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qxF "SLURM_CONF=$SLURM_CONF"; then
            kill -9 "${process#/proc/}" 2>/dev/null || true
        fi
    done
    daemons=()
}
