#!/bin/sh
set -eu
case $TEST_CASE in
hold) exec sleep 100000 ;;
flood)
    if [ "$(hostname)" = single-0 ]; then
        iperf3 --server --one-off >/dev/null
    else
        until iperf3 --client single-0 --udp --bitrate 0 --length 64 --time 3 --json >"$TEST_OUTPUTS_PATH/iperf3.json"; do :; done
    fi
    ;;
esac
echo "{\"event\":{\"success_event\":{\"group\":\"$TEST_GROUP_ID\"}}}"
