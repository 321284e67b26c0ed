#!/usr/bin/env bash
# prepare.sh FOLDER PROGRAM SIP_PORT HOOK_PORT: settings and an applied account for benchmarks.
# The account has a caller, a callee (internal number 2002; +61298765432 with recording), 1,000 more
# users (5000 to 5999) and one webhook endpoint that ticks only the completion of inbound calls.
set -euo pipefail
folder=$1 program=$2 sip_port=$3 hook_port=$4
rm -rf "$folder/data"
mkdir -p "$folder"

cat > "$folder/switchhook.toml" <<TOML
data_dir = "$folder/data"
log = "warn"
[sip]
udp = "127.0.0.1:$sip_port"
tcp = "127.0.0.1:$sip_port"
[rtp]
address = "127.0.0.1"
ports = "16384-32767"
silence_seconds = 0
[http]
listen = "127.0.0.1:0"
[hooks]
allow = ["127.0.0.0/8"]
TOML

{
  cat <<YAML
account: bench
name: Benchmark
country: AU
domain: bench.test
users:
  - {number: "2001", name: Caller, devices: [{name: caller, username: caller, password: bench-secret}]}
  - {number: "2002", name: Callee, devices: [{name: callee, username: callee, password: bench-secret}]}
YAML
  for number in $(seq 5000 5999); do
    echo "  - {number: \"$number\", name: User $number, devices: [{name: phone, username: \"$number\", password: bench-secret}]}"
  done
  cat <<YAML
flows:
  - id: recorded
    name: Recorded
    objects:
      - {id: in, kind: inbound_number, name: Recorded, at: [0, 0], settings: {numbers: ["+61298765432"]}, exits: {next: recording}}
      - {id: recording, kind: call_recording, name: Recording, at: [320, 0], settings: {recording: "on"}, exits: {next: callee}}
      - {id: callee, kind: user, name: Callee, at: [640, 0], settings: {user: "2002"}}
webhooks:
  - {name: crm, url: "http://127.0.0.1:$hook_port/hooks", secret_token: secret, triggers: [user_inbound_completed]}
YAML
} > "$folder/account.yaml"

SWITCHHOOK_CONFIG="$folder/switchhook.toml" "$program" account apply "$folder/account.yaml"
