// A TCG plugin for qemu-user that writes the address of each instruction that
// runs into a file, 8 bytes each: what utemu's trace is measured against.
//
// Debian has QEMU with plugins but not their header; the few declarations
// below are those of version 1 of the interface (QEMU, docs/devel/tcg-plugins).
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

#define QEMU_PLUGIN_CB_NO_REGS 0

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned, void *), int flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *), void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t buf[1 << 15];
static size_t n;
static int out;

static void flush(void)
{
	const char *p = (const char *)buf;
	for (size_t left = n * sizeof *buf; left > 0;) {
		ssize_t r = write(out, p, left);
		if (r <= 0)
			_exit(1);
		p += r;
		left -= r;
	}
	n = 0;
}

static void executed(unsigned vcpu, void *pc)
{
	buf[n++] = (uintptr_t)pc;
	if (n == sizeof buf / sizeof *buf)
		flush();
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *in = qemu_plugin_tb_get_insn(tb, i);
		qemu_plugin_register_vcpu_insn_exec_cb(in, executed, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)qemu_plugin_insn_vaddr(in));
	}
}

static void ended(qemu_plugin_id_t id, void *data) { flush(); }

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "out=", 4) == 0)
			out = open(argv[i] + 4, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (out <= 0)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
