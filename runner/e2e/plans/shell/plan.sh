#!/bin/sh
# A plan that misbehaves, one way a case. It needs no toolchain and speaks to nobody.

tell() {
    printf '{"ts":%s,"event":{"%s_event":{"group":"%s"%s}}}\n' "$(date +%s)000000000" "$1" "${3:-$TEST_GROUP_ID}" "$2"
}
success() { tell success ''; }
failure() { tell failure ",\"error\":\"$1\""; }

# The value of a parameter; parameters come as `a=1|b=2`.
param() {
    printf '%s\n' "$TEST_INSTANCE_PARAMS" | tr '|' '\n' | sed -n "s/^$1=//p"
}

hold() {
    exec 3>"$(param pipe)"
    echo "$TEST_GROUP_ID $TG_INSTANCE_INDEX" >&3
}

case "$TEST_CASE" in
ok) success ;;
failed) failure 'the table is wrong' ;;
exit) exit "$(param code)" ;;
told-then-exit-3) success; exit 3 ;;
told-both) success; failure 'and then it was not'; success ;;
silent) ;;
segv) kill -SEGV $$ ;;
kill) kill -KILL $$ ;;

# One of a group fails at once; the others must not be touched by it.
third-crashes)
    if [ "$TG_INSTANCE_INDEX" = 3 ]; then
        tell crash ',"error":"the third falls over"'
        exit 1
    fi
    sleep 2
    success
    ;;
eat-memory) echo before >"$TEST_OUTPUTS_PATH/before.txt"; tail /dev/zero; success ;;
# It writes and says something before and after it waits.
pause)
    echo 'before the pause'
    echo before >"$TEST_OUTPUTS_PATH/before.txt"
    sleep "$(param seconds)"
    echo 'after the pause'
    success
    ;;

# Many lines, with a success at the very end: whoever drops output loses the outcome.
flood)
    yes 'a line of a plan that has a lot to say, and says it again and again, as fast as it can' | head -c "$(param bytes)"
    echo
    success
    ;;
# Lines of one mebibyte, text and event.
long-lines)
    head -c 1048576 /dev/zero | tr '\0' x
    echo
    printf '{"ts":1,"event":{"message_event":{"message":"'
    head -c 1048576 /dev/zero | tr '\0' y
    printf '"}}}\n'
    success
    ;;
invalid-utf8) printf '\377\376 \303\050 \000 end\n'; success ;;
# The last line has no end, and is a line all the same.
half-line) success; printf 'and then' ;;
half-line-success) printf '%s' "$(success)" ;;
odd-json) printf '{"ts":"yesterday","event":"success_event"}\n{"event":{"party_event":{}}}\n[1,2]\n{"event":\n'; success ;;

wrong-group) tell success '' "$(param claimed)" ;;
closed-stdout) exec >&- 2>&-; sleep 0.1; exit 0 ;;
closed-stdout-exit-3) exec >&- 2>&-; exit 3 ;;
# It goes at what is not its own.
vandal)
    if [ "$TG_INSTANCE_INDEX" = 1 ]; then
        run=$(dirname "$(dirname "$(dirname "$TEST_OUTPUTS_PATH")")")
        rm -rf "$run/outputs/$TEST_GROUP_ID/0" "$run/logs" "$run/events.ndjson" "$run/run.json"
    else
        echo mine >"$TEST_OUTPUTS_PATH/file"
    fi
    success
    ;;
delete-outputs) echo here >"$TEST_OUTPUTS_PATH/file"; rm -rf "$TEST_OUTPUTS_PATH"; success ;;
outputs)
    echo '{"ts":1600000000000000000,"type":"point","name":"answers","measures":{"value":42}}' >"$TEST_OUTPUTS_PATH/results.out"
    printf 'first\nsecond\n' >"$TEST_OUTPUTS_PATH/notes.txt"
    success
    ;;
environment) env | sort; success ;;

# These go on until somebody stops them. They hold a named pipe open as long as they live, so that a test can wait
# for their beginning and for their end.
hang) hold; exec sleep 3600 ;;
ignore-term) trap '' TERM INT HUP; hold; while :; do sleep 3600; done ;;
told-then-hang) failure 'the table is wrong'; hold; exec sleep 3600 ;;
# A child that would outlive the instance.
orphan) hold; sleep 3600 & success ;;
# A daemon as they come: in a session of its own, with nothing in its environment.
daemon) hold; (setsid env -i sleep 3600 &) & trap '' TERM; while :; do sleep 3600; done ;;
# Ends well only when it was stopped and told to go on.
resumed)
    trap 'success; exit 0' CONT
    echo '{"event":{"stage_end_event":{"name":"up","group":"'"$TEST_GROUP_ID"'"}}}'
    while :; do sleep 0.01; done
    ;;
# What can be seen of the machine.
host)
    echo "name $(hostname)"
    echo "hostname $HOSTNAME"
    echo "subnet $TEST_SUBNET"
    echo "sidecar $TEST_SIDECAR"
    cat /etc/hosts
    ls /tmp | grep -v "^tg-$TEST_RUN$"
    for process in /proc/[0-9]*; do echo "process $process"; done
    success
    ;;
*) echo "no such case: $TEST_CASE" >&2; exit 64 ;;
esac
