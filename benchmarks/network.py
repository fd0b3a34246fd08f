#!/usr/bin/env python3
"""Times training on several hosts, which are network namespaces of this machine: gradus over MPI, and PyTorch over Gloo. Needs root.

Each host has one rank, one core (`taskset`) and one thread. A pair of virtual Ethernet devices joins it to a bridge. Both ends of the
pair have a token bucket (`tc qdisc .. tbf`), so a host sends and receives at most at `--gigabits`. Frames are segmented
for the device before they meet the bucket. There is no delay but that of the devices (`netem` is often not built in), and TCP's
congestion control is the system's own. Open MPI starts a rank on a host by
`ip netns exec` instead of ssh, and is held to TCP.

All hosts have the cores of one machine, and TCP's own work is done on them: step times are above those of machines of their own. The
script measures the links itself: the time of a small message there and back, and the rate of a large one.

    python3 benchmarks/network.py --hosts 1 2 --gigabits 1 10 --rounds 3

Variables of Open MPI are passed on. Its way of sending large messages by TCP reaches half of a link's rate in both directions at once; with
OMPI_MCA_btl_tcp_eager_limit=33554432 it sends them at once, which is a third faster in all.
"""

import argparse
import contextlib
import functools
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from distributed import AS_ROOT, HERE, KEEP_MEMORY, Program, adopt, build, ended, gradus, parser_of, pytorch, start, threads_of, timed

BRIDGE, SUBNET, MOST_HOSTS = "gradus-br", "10.77.0", 8
DEVICE = "eth0"


def host_of(index):
    return f"gradus-host{index}"


def address_of(index):
    return f"{SUBNET}.{index + 1}"


def call(command):
    done = subprocess.run(command.split(), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@contextlib.contextmanager
def network(hosts, gigabits):
    """The hosts, joined by links of this bandwidth; gone afterwards."""
    # Outside of what is undone: a bridge that is there belongs to another run.
    call(f"ip link add {BRIDGE} type bridge")
    try:
        call(f"ip link set {BRIDGE} up")
        for index in range(hosts):
            host, link = host_of(index), f"gradus-l{index}"
            call(f"ip netns add {host}")
            call(f"ip link add {link} type veth peer name {DEVICE} netns {host}")
            call(f"ip link set {link} master {BRIDGE} up")
            inside = f"ip netns exec {host}"
            call(f"{inside} ip link set lo up")
            call(f"{inside} ip addr add {address_of(index)}/24 dev {DEVICE}")
            call(f"{inside} ip link set {DEVICE} up")
            if gigabits:
                # A millisecond of data at once, and a queue of 5 ms.
                bucket = f"root tbf rate {gigabits}gbit burst {int(max(gigabits * 1e9 / 8 * 1e-3, 131072))} latency 5ms"
                call(f"{inside} tc qdisc add dev {DEVICE} {bucket}")
                call(f"tc qdisc add dev {link} {bucket}")
        yield
    finally:
        for index in range(hosts):
            subprocess.run(["ip", "netns", "del", host_of(index)], capture_output=True)
            subprocess.run(["ip", "link", "del", f"gradus-l{index}"], capture_output=True)
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True)


def on_host(index, command, cores):
    core = cores[index % len(cores)]
    return ["ip", "netns", "exec", host_of(index), "taskset", "-c", str(core), *command]


def run(program, name, options, folder):
    """One program with a rank on each of as many hosts."""
    environment = {**os.environ, **AS_ROOT, **threads_of(1)}
    cores = sorted(os.sched_getaffinity(0))
    if not program.is_gradus:
        job = {"WORLD_SIZE": str(program.ranks), "MASTER_ADDR": address_of(0), "MASTER_PORT": "29611", "GLOO_SOCKET_IFNAME": DEVICE}
        command = pytorch(program, name, options)
        ranks = range(program.ranks)
        started = [
            start(on_host(rank, command, cores), {**environment, **KEEP_MEMORY, **job, "RANK": str(rank)}) for rank in ranks
        ]
        return ended(started, options.timeout)
    # Open MPI calls an agent as `agent host command ..`; the host's name is its address.
    agent = pathlib.Path(folder) / "agent"
    cases = "\n".join(f"{address_of(index)}) name={host_of(index)};;" for index in range(MOST_HOSTS))
    agent.write_text(f'#!/bin/sh\ncase "$1" in\n{cases}\nesac\nshift\nexec ip netns exec "$name" sh -c "$*"\n')
    agent.chmod(0o755)
    # The launcher is on the first host, where no agent is needed.
    hosts = ",".join(f"{address_of(index)}:1" for index in range(program.ranks))
    command = ["ip", "netns", "exec", host_of(0), "mpirun.openmpi", "-n", str(program.ranks), "--host", hosts, "--map-by", "node"]
    command += ["--bind-to", "none", "--leave-session-attached", "--mca", "plm_rsh_agent", str(agent), "--mca", "btl", "tcp,self"]
    command += ["--mca", "pml", "ob1", "--mca", "btl_tcp_if_include", DEVICE, "--mca", "oob_tcp_if_include", DEVICE]
    for key in threads_of(1):
        command += ["-x", key]
    held = pathlib.Path(folder) / "held"
    held.write_text(
        f'#!/bin/sh\nset -- "$@"\ncore=$((OMPI_COMM_WORLD_RANK % {len(cores)}))\nexec taskset -c $core "$@"\n'
    )
    held.chmod(0o755)
    return ended([start([*command, str(held), *gradus(program, name, options)], environment)], options.timeout)


def link(cores):
    """What a link between two hosts does: seconds there and back of a small message, and bytes a second."""
    own = [sys.executable, __file__, "--link"]
    server = start(on_host(1, [*own, "serve"], cores), os.environ)
    time.sleep(0.5)
    client = start(on_host(0, [*own, address_of(1)], cores), os.environ)
    return ended([client, server], 60)


def link_end(role):
    """One end of a link, for `link`."""
    port, pings, bytes_sent = 29612, 200, 64 << 20
    if role == "serve":
        with socket.create_server(("", port)) as listener:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(pings):
                connection.sendall(connection.recv(64))
            left, room = bytes_sent, memoryview(bytearray(1 << 20))
            while left > 0:
                left -= connection.recv_into(room)
            connection.sendall(b"done")
        return
    connection = socket.create_connection((role, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    for _ in range(pings):
        begin = time.perf_counter()
        connection.sendall(b"ping")
        connection.recv(64)
        times.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    connection.sendall(bytes(bytes_sent))
    connection.recv(64)
    rate = bytes_sent / (time.perf_counter() - begin)
    print(json.dumps({"round_trip_us": statistics.median(times) * 1e6, "megabytes_per_second": rate / 1e6}))


def main():
    parser = parser_of(__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--gigabits", type=int, nargs="+", default=[1, 10], help="of each link; 0 is without a limit")
    parser.add_argument("--weak", action="store_true", help="--batch is that of each host")
    parser.add_argument("--link", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.link:
        return link_end(options.link)
    if max(options.hosts) > MOST_HOSTS:
        sys.exit(f"at most {MOST_HOSTS} hosts")
    # So that hosts and programs go away then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    build()
    adopt()
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for gigabits in options.gigabits:
            with network(max(2, *options.hosts), gigabits):
                links = link(sorted(os.sched_getaffinity(0)))
                print(f"{gigabits} Gbit/s: {links}", file=sys.stderr)
                for name in options.network:
                    measured += measure(name, gigabits, options, folder)
                    if options.json:
                        lines = [
                            {"network": name, "gigabits": gigabits, **vars(program)} for name, gigabits, program in measured
                        ]
                        options.json.write_text(json.dumps(lines, indent=1))
    head = ["network", "Gbit/s", "program", "hosts", "step (ms)", "quick step (ms)", "CPU of all (ms)", "exchange (ms)", "waited (ms)", "cores of others"]
    rows = [head, ["---", "---:", "---"] + ["---:"] * 7]
    for name, gigabits, program in measured:
        row = [name, str(gigabits), program.name, str(program.ranks)]
        for key in ["step_ms", "quick_step_ms", "cpu_ms", "exchanged_ms", "waited_ms", "others"]:
            row.append(f"{program.median(key):.2f}" if key in program.lines[0] else "-")
        rows.append(row)
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))


def measure(name, gigabits, options, folder):
    """The programs of a network, over the links that are there."""
    chosen = []
    words = [word.lower() for word in options.only.split(",") if word]
    for hosts in options.hosts:
        programs = [
            Program("gradus, exact", hosts, "exact", shards=max(8, hosts)),
            Program("gradus, exact, a shard for each", hosts, "exact", shards=hosts),
            Program("gradus, fast", hosts, "fast"),
            Program("PyTorch, DDP", hosts, "channels_last" if name == "convnet" else "channels_first", is_gradus=False),
        ]
        chosen += [program for program in programs if not words or any(word in program.name.lower() for word in words)]
    batch = options.batch
    for number in range(options.rounds):
        for program in chosen:
            options.batch = batch * program.ranks if options.weak else batch
            line = timed(functools.partial(run, program, name, options, folder), options)
            program.lines.append(line)
            label = f"{name}, {gigabits} Gbit/s, round {number + 1} of {options.rounds}, {program.name}, {program.ranks} hosts"
            print(f"{label}: {line['step_ms']:.2f} ms, CPU {line['cpu_ms']:.2f} ms; {line['others']:.2f} cores taken by others", file=sys.stderr)
    options.batch = batch
    return [(name, gigabits, program) for program in chosen]


if __name__ == "__main__":
    main()
