#!/bin/sh
# Instance 0 serves, instance 1 pings it, fetches a page from it, and measures how much gets through.
set -eu
out=$TEST_OUTPUTS_PATH
server=$TEST_GROUP_ID-0

case $(hostname) in
"$server")
    echo "hello from $(hostname)" >"$TEST_TEMP_PATH/page"
    python3 -m http.server 80 --directory "$TEST_TEMP_PATH" >"$out/http.log" 2>&1 &
    http=$!
    # It ends after one client.
    iperf3 --server --one-off >"$out/iperf3.log" 2>&1
    kill $http
    ;;
*)
    # The other host may not be there yet.
    until ping -n -4 -c 1 -W 1 "$server" >"$out/first.log" 2>&1; do :; done
    # An answer may take long on a machine that is full, and is not lost for that.
    ping -n -4 -c 5 -i 0.05 -W 30 "$server" >"$out/ping.txt"
    ping -n -6 -c 1 -W 30 "$server" >"$out/ping6.txt"
    # The servers may not listen yet.
    until curl -sS "http://$server/page" -o "$out/page.txt" 2>"$out/curl.log"; do :; done
    until iperf3 --client "$server" --bytes 2M --json >"$out/iperf3.json"; do :; done
    ;;
esac
echo "{\"event\":{\"success_event\":{\"group\":\"$TEST_GROUP_ID\"}}}"
