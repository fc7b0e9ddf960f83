#!/usr/bin/env bash
# Open the window on the screen there is; without one, on a virtual screen or on none at all.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# Qt ends the process when it finds no screen, so a process that may end asks first. In a shell
# of its own, which keeps the news of that end to itself.
qt_opens() {
  (
    ulimit -c 0
    .venv/bin/python -c 'from PySide6.QtGui import QGuiApplication; QGuiApplication([])'
    exit $?
  ) >/dev/null 2>&1
}

# An arriving argument is a command for `genie`, which needs no screen of ours.
if [ $# -gt 0 ] || qt_opens; then exec .venv/bin/genie "$@"; fi

export GENIE_SCREENSHOTS="${GENIE_SCREENSHOTS:-$PWD/build/screenshots}"
mkdir -p "$GENIE_SCREENSHOTS"
unset WAYLAND_DISPLAY

if command -v Xvfb >/dev/null; then
  number=$(mktemp)
  # In a session of its own: Ctrl+C is for the program, which needs its screen to end well.
  setsid Xvfb -displayfd 3 -screen 0 1440x900x24 -nolisten tcp 3>"$number" >/dev/null 2>&1 &
  screen=$!
  trap 'kill "$screen" 2>/dev/null || true; rm -f "$number"' EXIT
  for _ in $(seq 100); do
    [ -s "$number" ] || ! kill -0 "$screen" 2>/dev/null || { sleep 0.1; continue; }
    break
  done
  if [ -s "$number" ]; then
    DISPLAY=":$(cat "$number")"
    export DISPLAY
    export QT_QPA_PLATFORM=xcb
    if qt_opens; then
      say "There is no display here. GENIE Studio runs on a virtual screen ($DISPLAY);"
      say "screenshots of its window go to $GENIE_SCREENSHOTS. Ctrl+C ends it."
      .venv/bin/genie
      exit
    fi
  fi
fi

export QT_QPA_PLATFORM=offscreen
unset DISPLAY
if qt_opens; then
  say "There is no display here, nor a virtual one (Debian package: xvfb). GENIE Studio draws"
  say "into memory; screenshots of its window go to $GENIE_SCREENSHOTS. Ctrl+C ends it."
  .venv/bin/genie
  exit
fi

say "The window can't open: Qt doesn't load here. What it says:"
.venv/bin/python -c 'import PySide6.QtGui, PySide6.QtWidgets' 2>&1 | tail -n 1 >&2 || true
say "Most often a system library is missing; scripts/setup.sh lists them. The command line works"
say "without a window: .venv/bin/genie --help"
exit 1
