#!/usr/bin/env bash
# Set up what a target of the Makefile needs:   scripts/setup.sh run|dev|training [RECIPE]
#
#   run       system libraries, .venv with the program
#   dev       the same and the tools of the tests
#   training [RECIPE]   the data set of a recipe (default: fashion32)
#
# Whatever is there already is left alone, so a second call is instant and needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# --- system packages -----------------------------------------------------------------------

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# apt_install PACKAGE...: true if they are installed afterwards; else the command is on screen.
apt_install() {
  if ! command -v apt-get >/dev/null; then
    say "Missing system packages, by their Debian names: $*"
    say "Please install what your system calls them."
    return 1
  fi
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    say "Missing system packages. Please run:"
    say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
    return 1
  fi
  say "Installing with apt: $*"
  local log
  log=$(mktemp)
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@")
  # The package list of a fresh machine is empty or old: try, then refresh it and try again.
  if as_root "${install[@]}" >"$log" 2>&1 \
    || { as_root apt-get update -q >>"$log" 2>&1 && as_root "${install[@]}" >>"$log" 2>&1; }; then
    rm -f "$log"
    return 0
  fi
  tail -n 5 "$log" >&2
  rm -f "$log"
  say "apt couldn't install them. Please run:"
  say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
  return 1
}

# What Qt loads at run time, as "library package"; the wheels bring the rest.
qt_libraries='
libglib-2.0.so.0          libglib2.0-0
libGL.so.1                libgl1
libEGL.so.1               libegl1
libxkbcommon.so.0         libxkbcommon0
libdbus-1.so.3            libdbus-1-3
libfontconfig.so.1        libfontconfig1
libfreetype.so.6          libfreetype6
libX11.so.6               libx11-6
libxkbcommon-x11.so.0     libxkbcommon-x11-0
libxcb-cursor.so.0        libxcb-cursor0
libxcb-icccm.so.4         libxcb-icccm4
libxcb-image.so.0         libxcb-image0
libxcb-keysyms.so.1       libxcb-keysyms1
libxcb-randr.so.0         libxcb-randr0
libxcb-render-util.so.0   libxcb-render-util0
libxcb-shape.so.0         libxcb-shape0
libxcb-xkb.so.1           libxcb-xkb1
'

install_system_libraries() {
  [ "$(uname -s)" = Linux ] || return 0
  local known missing=() library package
  known=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true)
  while read -r library package; do
    [ -n "$library" ] || continue
    [[ $known == *"$library "* ]] || missing+=("$package")
  done <<<"$qt_libraries"
  command -v Xvfb >/dev/null || missing+=(xvfb)
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}" || say "Going on without them."
}

# --- Python --------------------------------------------------------------------------------

usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local name
  for name in ${GENIE_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if command -v "$name" >/dev/null && usable "$name"; then
      command -v "$name"
      return 0
    fi
  done
  return 1
}

install_environment() { # install_environment run|dev
  local what=$1 target=. python wanted stamp=.venv/ready-$1
  [ "$what" = dev ] && target='.[dev]'
  # Ready means: for this pyproject.toml, in this folder, with a Python that still runs.
  wanted="$(cksum <pyproject.toml) $PWD"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -x .venv/bin/python ]; then return 0; fi

  if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    if ! python=$(find_python); then
      apt_install python3 python3-venv || true
      if ! python=$(find_python); then
        say "GENIE Studio needs Python 3.11 or newer, with its venv module. Install it and try again;"
        say "if it has an unusual name, say GENIE_PYTHON=/path/to/python make run."
        exit 1
      fi
    fi
    say "Making .venv with $python"
    rm -rf .venv
    "$python" -m venv .venv
  fi
  # torch first, and by number: a version chosen by a resolver may be a build of gigabytes for
  # a device that isn't there. A torch that somebody put into .venv stays.
  if ! .venv/bin/python -c 'import torch' 2>/dev/null; then
    say "Installing torch (the largest part; once)"
    .venv/bin/python -m pip install -qq "${GENIE_TORCH:-torch==2.13.0}"
  fi
  say "Installing GENIE Studio and what it needs"
  .venv/bin/python -m pip install -qq -e "$target"
  printf '%s\n' "$wanted" >"$stamp"
  # Whoever has the tools of the tests has all the rest too.
  [ "$what" = run ] || printf '%s\n' "$wanted" >.venv/ready-run
}

# --- data ----------------------------------------------------------------------------------

install_fashion() {
  [ -d /usr/share/datasets/fashion-mnist ] || apt_install dataset-fashion-mnist \
    || say "Going on; give the folder of the four Fashion-MNIST files with ARGS='--data DIR'."
}

# Pictures and the table of what they show: two npm packages, 22 MB, both under MIT.
install_emoji() {
  local folder=runs/data/emoji
  if [ -f "$folder/data.json" ] && [ -d "$folder/pictures" ]; then return 0; fi
  local advice="Going on; give a folder of emoji with ARGS='--data DIR'."
  command -v npm >/dev/null || apt_install npm || { say "$advice"; return 0; }
  say "Fetching the emoji with npm (22 MB)"
  mkdir -p runs/data
  # Aside and put in place when whole: an interrupted download leaves nothing behind.
  fresh=$(mktemp -d runs/data/.emoji.XXXXXX)
  trap 'rm -rf "$fresh"' EXIT
  if npm pack --silent --pack-destination "$fresh" @lobehub/fluent-emoji-3d@1.1.0 emojibase-data@17.0.0 \
    >"$fresh/log" 2>&1 \
    && mkdir "$fresh/emoji" \
    && tar -xzf "$fresh"/lobehub-fluent-emoji-3d-*.tgz -C "$fresh" package/assets \
    && mv "$fresh/package/assets" "$fresh/emoji/pictures" \
    && tar -xzf "$fresh"/emojibase-data-*.tgz -C "$fresh" package/en/data.json \
    && mv "$fresh/package/en/data.json" "$fresh/emoji/data.json"; then
    rm -rf "$folder"
    mv "$fresh/emoji" "$folder"
  else
    tail -n 5 "$fresh/log" >&2
    say "npm couldn't fetch them: no network, perhaps. $advice"
  fi
  rm -rf "$fresh"
}

install_training_data() { # install_training_data RECIPE
  case "$1" in
    emoji*) install_emoji ;;
    *) install_fashion ;;
  esac
}

case "${1:-}" in
  run | dev)
    install_system_libraries
    install_environment "$1"
    ;;
  training) install_training_data "${2:-fashion32}" ;;
  *)
    say "usage: scripts/setup.sh run|dev|training [RECIPE]"
    exit 2
    ;;
esac
