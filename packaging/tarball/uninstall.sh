#!/bin/sh
# Removes what install.sh wrote, and nothing else. What Safelight knows about a backup stays
# (~/.local/share/safelight, ~/.cache/safelight), and so does every copy.
#
#   uninstall.sh [PREFIX]
set -eu
prefix=${1:-$HOME/.local}
case $0 in
    */lib/safelight/uninstall.sh) [ $# -gt 0 ] || prefix=$(cd "$(dirname "$0")/../.." && pwd) ;;
esac
prefix=$(cd "$prefix" && pwd)
list=$prefix/lib/safelight/installed-files
[ -f "$list" ] || { echo "Safelight is not installed in $prefix." >&2; exit 1; }

if [ -x "$prefix/bin/safelight" ]; then
    "$prefix/bin/safelight" agent --stop >/dev/null 2>&1 || true
fi
while IFS= read -r file; do
    rm -f "$prefix/$file"
    # Folders go once they are empty; those that others use are not.
    (cd "$prefix" && rmdir -p "$(dirname "$file")" 2>/dev/null) || true
done <"$list"
rm -f "$list"
# The desktop would start what is gone. Only an entry that starts this very program is removed.
entry=${XDG_CONFIG_HOME:-$HOME/.config}/autostart/app.safelight.Safelight.desktop
if [ -f "$entry" ] && grep -qF "TryExec=$prefix/bin/safelight" "$entry"; then
    rm -f "$entry"
fi
(cd "$prefix" && rmdir -p lib/safelight 2>/dev/null) || true
if command -v update-desktop-database >/dev/null 2>&1 && [ -d "$prefix/share/applications" ]; then
    update-desktop-database "$prefix/share/applications" >/dev/null 2>&1 || true
fi
echo "Safelight is removed from $prefix. Your photos, your backups and what Safelight knows about them stay."
