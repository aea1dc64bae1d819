# Private PostgreSQL and MariaDB servers for one run of the tests. Sourced by `tests/run`.
#
# Every server has its own data directory, socket and free TCP port below one temporary directory, listens on 127.0.0.1 only,
# and is a child of the calling script. Nothing here touches a server that Debian or anybody else has started.
#
# shellcheck shell=bash

servers_dir=""
servers_pids=()

# A server refuses to run as root, so root hands it to the account that Debian made for it (or to nobody).
server_account() {
    local account
    for account in "$1" nobody; do
        if id "$account" >/dev/null 2>&1; then
            echo "$account"
            return
        fi
    done
}

# Runs a command as that account, in the same process, so that its id is the one to signal. The server goes down with
# this script even if the script is killed without a chance to clean up.
as_account() {
    local account=$1
    shift
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid="$account" --regid="$(id -g "$account")" --clear-groups --pdeathsig=QUIT -- "$@"
    fi
    exec setpriv --pdeathsig=QUIT -- "$@"
}

# A TCP port that nobody listens on. Another process may take it before the server does: the server then fails to start, with its log.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

# Waits until a command succeeds; gives up when the server is gone or after a minute.
await_server() {
    local name=$1 pid=$2 log=$3 attempt
    shift 3
    for attempt in $(seq 600); do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        if ! kill -0 "$pid" 2>/dev/null; then
            break
        fi
        sleep 0.1
    done
    echo "tests: $name did not start (attempt $attempt); the end of its log:" >&2
    tail -n 40 "$log" >&2
    return 1
}

postgres_bindir() {
    local dir
    for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
            echo "$dir"
            return
        fi
    done
    if command -v initdb >/dev/null && command -v postgres >/dev/null; then
        dirname "$(readlink -f "$(command -v postgres)")"
    fi
}

mariadbd_path() {
    # /usr/sbin is not in everybody's PATH.
    PATH="$PATH:/usr/sbin" command -v mariadbd || true
}

start_postgres() {
    local bindir account dir="$servers_dir/postgres" port pid
    bindir=$(postgres_bindir)
    account=$(server_account postgres)
    port=$(free_port)
    install -d -m 700 "$dir"
    [ "$(id -u)" != 0 ] || chown "$account" "$dir"
    # C.UTF-8 exists everywhere and sorts by code point. Whoever reaches the loopback port may log in: the server lives for one run and holds test data.
    if ! (as_account "$account" "$bindir/initdb" --pgdata="$dir/data" --username=postgres --auth=trust --encoding=UTF8 \
        --locale=C.UTF-8 --no-sync) >"$servers_dir/initdb.log" 2>&1; then
        cat "$servers_dir/initdb.log" >&2
        return 1
    fi
    (as_account "$account" "$bindir/postgres" -D "$dir/data" -k "$dir" -p "$port" -c listen_addresses=127.0.0.1 \
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c max_locks_per_transaction=512 \
        -c timezone=UTC) >"$servers_dir/postgres.log" 2>&1 &
    pid=$!
    servers_pids+=("$pid")
    await_server PostgreSQL "$pid" "$servers_dir/postgres.log" "$bindir/pg_isready" -q -h 127.0.0.1 -p "$port"
    export RELINK_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
}

start_mariadb() {
    local mariadbd account dir="$servers_dir/mariadb" port pid
    mariadbd=$(mariadbd_path)
    account=$(server_account mysql)
    port=$(free_port)
    install -d -m 700 "$dir"
    # Accounts are made by an init file, so that privileges are in force from the first connection on.
    cat >"$dir/init.sql" <<'SQL'
CREATE USER IF NOT EXISTS 'relink'@'%' IDENTIFIED BY 'relink';
GRANT ALL PRIVILEGES ON *.* TO 'relink'@'%' WITH GRANT OPTION;
SQL
    [ "$(id -u)" != 0 ] || chown -R "$account" "$dir"
    if ! (as_account "$account" mariadb-install-db --no-defaults --datadir="$dir/data" --skip-test-db --auth-root-authentication-method=normal) \
        >"$servers_dir/mariadb-install-db.log" 2>&1; then
        cat "$servers_dir/mariadb-install-db.log" >&2
        return 1
    fi
    (as_account "$account" "$mariadbd" --no-defaults --datadir="$dir/data" --socket="$dir/socket" --pid-file="$dir/pid" --tmpdir="$dir" \
        --port="$port" --bind-address=127.0.0.1 --skip-name-resolve --init-file="$dir/init.sql" --character-set-server=utf8mb4 \
        --max-connections=200 --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-buffer-pool-size=256M \
        --innodb-log-file-size=256M --skip-log-bin) >"$servers_dir/mariadb.log" 2>&1 &
    pid=$!
    servers_pids+=("$pid")
    await_server MariaDB "$pid" "$servers_dir/mariadb.log" \
        mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --port="$port" --user=relink --password=relink --execute="SELECT 1"
    export RELINK_TEST_MYSQL="mysql://relink:relink@127.0.0.1:$port/mysql"
}

# Starts what the environment does not name already.
start_servers() {
    if [ -n "${RELINK_TEST_POSTGRES:-}" ] && [ -n "${RELINK_TEST_MYSQL:-}" ]; then
        return
    fi
    servers_dir=$(mktemp -d "${TMPDIR:-/tmp}/relink-tests.XXXXXX")
    # The servers' accounts must be able to reach their own directories below.
    chmod 755 "$servers_dir"
    [ -n "${RELINK_TEST_POSTGRES:-}" ] || start_postgres
    [ -n "${RELINK_TEST_MYSQL:-}" ] || start_mariadb
}

# Stops the servers by their process ids and removes their data. Safe to call twice.
stop_servers() {
    local pid
    # The data is thrown away: PostgreSQL's immediate shutdown (QUIT) does; MariaDB is killed.
    for pid in ${servers_pids[@]+"${servers_pids[@]}"}; do
        kill -QUIT "$pid" 2>/dev/null || true
    done
    for pid in ${servers_pids[@]+"${servers_pids[@]}"}; do
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    servers_pids=()
    [ -z "$servers_dir" ] || rm -rf "$servers_dir"
    servers_dir=""
}
