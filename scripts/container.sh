#!/bin/sh
# Entry of the container image. `exec`: the engine is process 1 and gets the stop signal itself.
#
#   docker run IMAGE                     serves; closed unless a configuration is mounted
#   docker run IMAGE trigger …           any command of iii
#   III_CONFIG                           path of the configuration, /etc/iii/config.yaml when not set
set -eu

case "${1-}" in
  '' ) ;;
  -v | --version | -h | --help | [!-]*) exec bun src/main.ts "$@" ;;
esac

config=${III_CONFIG:-/etc/iii/config.yaml}
if [ -f "$config" ]; then exec bun src/main.ts --config "$config" "$@"; fi

cat >&2 <<'TEXT'
iii: no configuration is mounted, so this container is closed: its ports listen on 127.0.0.1 inside of it, where
nobody outside reaches them. To open it, write config.yaml:

    workers:
      - name: iii-worker-manager
        config: { host: 0.0.0.0, port: 49134, insecure: true }
      - name: iii-http
        config: { host: 0.0.0.0, port: 3111 }

and mount it; keep port 49134 to yourself, this version has no tokens and whoever reaches it may call everything:

    docker run -v "$PWD/config.yaml:/etc/iii/config.yaml:ro" -p 127.0.0.1:49134:49134 -p 3111:3111 IMAGE

TEXT
exec bun src/main.ts --defaults "$@"
