#!/bin/sh
# Installs Safelight for one person, below ~/.local, without root.
#
#   ./install.sh [PREFIX]
#
# Every file that is written is listed in PREFIX/lib/safelight/installed-files, which
# uninstall.sh reads. Run it again to install another version over this one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=${1:-$HOME/.local}
id=app.safelight.Safelight
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
list=$prefix/lib/safelight/installed-files

# A running program cannot be overwritten, but it can be replaced.
copy_file() {
    mkdir -p "$(dirname "$prefix/$1")"
    cp -p "$here/files/$1" "$prefix/$1.new"
    mv -f "$prefix/$1.new" "$prefix/$1"
}

if [ -f "$list" ]; then
    "$here/uninstall.sh" "$prefix" >/dev/null
fi
mkdir -p "$(dirname "$list")"
(cd "$here/files" && find . -type f | sed 's,^\./,,' | sort) >"$list.new"
cp "$here/uninstall.sh" "$prefix/lib/safelight/uninstall.sh"
echo lib/safelight/uninstall.sh >>"$list.new"
mv -f "$list.new" "$list"
while IFS= read -r file; do
    [ "$file" = lib/safelight/uninstall.sh ] || copy_file "$file"
done <"$list"

# The desktop starts it by its full path: a session may not have PREFIX/bin in its PATH.
entry=$prefix/share/applications/$id.desktop
sed "s,^Exec=safelight,Exec=\"$prefix/bin/safelight\",; s,^TryExec=.*,TryExec=$prefix/bin/safelight," \
    "$entry" >"$entry.new"
mv -f "$entry.new" "$entry"
if command -v update-desktop-database >/dev/null 2>&1; then
    update-desktop-database "$prefix/share/applications" >/dev/null 2>&1 || true
fi
echo "Safelight is installed in $prefix."
echo "To remove it: $prefix/lib/safelight/uninstall.sh"
case :$PATH: in
    *":$prefix/bin:"*) ;;
    *) echo "To use it in a terminal, add $prefix/bin to PATH." ;;
esac
