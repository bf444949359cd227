#!/usr/bin/env bash
# A Slurm of one node, for checks: no systemd, loopback alone, folders and ports of its own, as whoever calls it.
# usage: slurm_node.sh start FOLDER PORT [LINE ...]   FOLDER short (a socket lies in it), PORT and PORT+1 free, LINEs go into slurm.conf
#        slurm_node.sh controller FOLDER [LINE ...]   ends the controller and starts it again, with more LINEs
#        slurm_node.sh fail FOLDER                    the node dies: slurmd, its steps and what they run
#        slurm_node.sh back FOLDER                    the node is there again
#        slurm_node.sh stop FOLDER
# Environment: SLURM_NODE_CPUS (4). Then: export SLURM_CONF=FOLDER/slurm.conf
set -euo pipefail
action=${1:?action} folder=$(realpath -m "${2:?folder}")
export SLURM_CONF="$folder/slurm.conf"
export PATH="$PATH:/usr/sbin"

controller() { (cd "$folder/log" && slurmctld); }
node() { (cd "$folder/log" && slurmd); }
end() { # NAME: by its own file of its number
  local file="$folder/$1.pid" number
  [ -s "$file" ] || return 0
  number=$(cat "$file")
  kill "$number" 2>/dev/null || return 0
  for _ in $(seq 100); do kill -0 "$number" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL "$number" 2>/dev/null || true
}
answers() { # waits until the node is in one of the states
  for _ in $(seq 300); do
    case "$(timeout 5 sinfo --noheader --partition=low --format=%t 2>/dev/null)" in idle | mix | alloc) return 0 ;; esac
    sleep 0.2
  done
  tail -n 15 "$folder"/log/*.log >&2
  return 1
}
# Descendants of a process, itself first.
family() {
  echo "$1"
  local child
  for child in $(ps -o pid= --ppid "$1"); do family "$child"; done
}

case "$action" in
  start)
    port=${3:?port} host=$(hostname -s) user=$(id -un)
    shift 3
    mkdir -p "$folder"/{state,spool,log}
    # munged wants to be reached by all, and its key by nobody else.
    chmod 711 "$folder"
    (umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
    munged --key-file="$folder/munge.key" --socket="$folder/munge.sock" --pid-file="$folder/munged.pid" \
      --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed" --num-threads=2
    memory=$(awk '/MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
    # cred_expire: a job that is requeued waits that long. linuxproc, none: no control groups.
    cat >"$SLURM_CONF" <<CONF
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/munge.sock,cred_expire=5
SlurmUser=$user
SlurmdUser=$user
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
MailProg=/bin/true
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_min_interval=0,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=2
MinJobAge=300
SlurmctldTimeout=10
SlurmdTimeout=10
NodeName=$host NodeAddr=127.0.0.1 CPUs=${SLURM_NODE_CPUS:-4} RealMemory=$memory State=UNKNOWN
PartitionName=low Nodes=$host Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high Nodes=$host MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF
    printf '%s\n' "$@" >>"$SLURM_CONF"
    controller
    node
    answers
    ;;
  controller)
    shift 2
    # Not by KILL: it then starts from a state of some seconds ago, launches what is at work again, and holds it when that fails.
    end slurmctld
    printf '%s\n' "$@" >>"$SLURM_CONF"
    controller
    answers
    ;;
  fail)
    # Steps leave slurmd's family, so they are found by the folder in their command or their parent's.
    dead=$(cat "$folder/slurmd.pid")
    for step in $(pgrep -u "$(id -u)" -x slurmstepd || true); do
      if grep -qz "SLURM_CONF=$SLURM_CONF" "/proc/$step/environ" 2>/dev/null; then dead="$dead $(family "$step")"; fi
    done
    # shellcheck disable=SC2086
    kill -KILL $dead 2>/dev/null || true
    ;;
  back)
    node
    answers
    ;;
  stop)
    end slurmd
    end slurmctld
    end munged
    ;;
  *)
    echo "unknown action $action" >&2
    exit 2
    ;;
esac
