#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# Process 1 of the initial RAM file system; "case" in the archive says which of the two it is.
busybox=/bin/busybox
$busybox mkdir -p /sbin
$busybox --install -s /bin
PATH=/bin:/usr/bin:/sbin
export PATH
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /modules/*.ko; do
	[ -e "$module" ] && { insmod "$module" || echo "init: $module"; }
done
word()
{
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"
}

v1_controllers()
{
	sed -n 's/^\([a-z_]*\)\t.*\t1$/\1/p' /proc/cgroups
}

mount_cgroups()
{
	case "$(word vm.layout)" in
	v1 | hybrid)
		mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
		for name in $(v1_controllers); do
			mkdir "/sys/fs/cgroup/$name"
			mount -t cgroup -o "$name" "$name" "/sys/fs/cgroup/$name" || rmdir "/sys/fs/cgroup/$name"
		done
		mkdir /sys/fs/cgroup/systemd
		mount -t cgroup -o none,name=systemd systemd /sys/fs/cgroup/systemd
		if [ "$(word vm.layout)" = hybrid ]; then
			mkdir /sys/fs/cgroup/unified
			mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
		fi
		;;
	none) ;;
	*) mount -t cgroup2 cgroup2 /sys/fs/cgroup ;;
	esac
}

# pivot_root(2) refuses the initial RAM file system, so containers need another root.
quick()
{
	mount -t tmpfs -o mode=755 root /newroot
	cp -a /bin /etc /bundle /case /root /sbin /newroot
	for name in lib lib64 usr extra; do
		[ -e "/$name" ] && cp -a "/$name" /newroot
	done
	mkdir -p /newroot/proc /newroot/sys /newroot/dev /newroot/run /newroot/tmp /newroot/var
	chmod 1777 /newroot/tmp
	for name in proc sys dev; do
		mount --move "/$name" "/newroot/$name"
	done
	exec switch_root /newroot /bin/sh /etc/quick
}

cat >/etc/quick <<'QUICK'
PATH=/bin:/usr/bin:/sbin
export PATH HOME=/root
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs tmpfs /run
ip link set lo up
stty -F /dev/ttyS1 raw
cd /bundle
[ -x /bin/crun ] && crun spec >/dev/null 2>&1 && sed -i 's/"terminal": *true/"terminal": false/' config.json
sh /case </dev/null >/dev/ttyS1 2>&1
echo "@vm exit $?" >/dev/ttyS1
sync
poweroff -f
QUICK

mount_cgroups
if [ -e /case ]; then
	quick
fi
for try in 1 2 3 4 5 6 7 8 9 10; do
	[ -b /dev/vda ] && [ -b /dev/vdb ] && [ -b /dev/vdc ] && break
	sleep 0.3
done
umount /sys/fs/cgroup 2>/dev/null
mount -t ext4 -o noatime /dev/vda /newroot
mount -t ext4 -o ro /dev/vdb /newroot/vm
mount -t ext4 -o ro /dev/vdc /newroot/usr/lib/modules
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system
cp /units/* /run/systemd/system
for name in run proc sys dev; do
	mount --move "/$name" "/newroot/$name"
done
exec switch_root /newroot /lib/systemd/systemd
