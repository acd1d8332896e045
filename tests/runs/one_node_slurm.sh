#!/usr/bin/env bash
# A real Slurm of one node on this machine, for tests.
#
#     tests/runs/one_node_slurm.sh start FOLDER     then: export SLURM_CONF=FOLDER/slurm.conf
#     tests/runs/one_node_slurm.sh stop FOLDER
#
# It must run as root, and needs Slurm and munge. On Debian and Ubuntu:
#
#     apt-get install slurm-wlm munge
#
# A job that goes back into the queue starts again when its credential has expired, here after seconds.
# Nothing is written outside FOLDER but munge's socket. There is no accounting (sacct): states come from squeue.
set -euo pipefail

usage() { echo "expected: $0 start FOLDER, or $0 stop FOLDER" >&2; exit 2; }
[ $# = 2 ] || usage
mkdir -p "$2"
folder=$(cd "$2" && pwd)
host=$(hostname -s)

write_configuration() {
    mkdir -p "$folder"/{state,spool,log}
    cat >"$folder/slurm.conf" <<CONF
ClusterName=one_node
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
KillWait=30
ReturnToService=2
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(getconf _NPROCESSORS_ONLN) RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
CONF
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

case $1 in
start)
    write_configuration
    export SLURM_CONF=$folder/slurm.conf
    if ! munge -n >/dev/null 2>&1; then # another munge on this machine serves as well
        mkdir -p /run/munge
        chown munge:munge /run/munge
        munged --force --pid-file="$folder/munged.pid"
    fi
    slurmctld -c
    slurmd
    for _ in $(seq 60); do
        if sinfo -h -o %t 2>/dev/null | grep -qE 'idle|mix'; then exit 0; fi
        sleep 0.5
    done
    echo "the node did not become idle; its logs are in $folder/log" >&2
    exit 1
    ;;
stop)
    export SLURM_CONF=$folder/slurm.conf
    scancel --user "$(id -un)" || true
    for _ in $(seq 80); do # jobs save what they have
        if [ -z "$(squeue -h)" ]; then break; fi
        sleep 0.5
    done
    for daemon in slurmd slurmctld munged; do
        if [ -e "$folder/$daemon.pid" ]; then kill "$(cat "$folder/$daemon.pid")" || true; fi
    done
    ;;
*) usage ;;
esac
