#include "cgroups/bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* By its name a program is known as ours when it is to be replaced. */
#define PROGRAM_NAME "nacelle_devices"

/* Programs on one cgroup that are looked through for ours; the kernel allows 64. */
#define PROGRAMS_MAX 64

static int bpf(int command, union bpf_attr *attr, size_t size) {
        long r = syscall(SYS_bpf, command, attr, size);

        return r < 0 ? -errno : (int)r;
}

/* As in the kernel's own <linux/filter.h>. */
#define INSN(code_, dst, src, off_, imm_)                                                                              \
        (struct bpf_insn) {                                                                                            \
                .code = (code_), .dst_reg = (dst), .src_reg = (src), .off = (off_), .imm = (imm_)                      \
        }

static void emit(struct bpf_insn *insns, size_t *n, struct bpf_insn insn) {
        insns[(*n)++] = insn;
}

enum {
        RESULT = BPF_REG_0,
        CONTEXT = BPF_REG_1,
        TYPE = BPF_REG_2,
        WANTED = BPF_REG_3,
        MAJOR = BPF_REG_4,
        MINOR = BPF_REG_5,
        DEVICE = BPF_REG_6, /* type, major and minor in one number */
        DRIVER = BPF_REG_7, /* type and major */
        SCRATCH = BPF_REG_1
};

/* As the kernel's own dev_t. */
#define MAJOR_BITS 12
#define MINOR_BITS 20

static int32_t access_bits(const struct cgroup_device *rule) {
        return (rule->mknod ? BPF_DEVCG_ACC_MKNOD : 0) | (rule->read ? BPF_DEVCG_ACC_READ : 0) |
               (rule->write ? BPF_DEVCG_ACC_WRITE : 0);
}

/* Jumps over the rest of the block unless @reg is @value; the distance is patched when the block is complete. Compared
 * is a number made of the two: of a register that was found equal to a value the verifier would know it in all the
 * rules that come after, and its time would be square in their number (420 ms for 512 of them). */
static void unless_equal(struct bpf_insn *insns, size_t *n, uint8_t reg, int64_t value) {
        emit(insns, n, INSN(BPF_ALU | BPF_MOV | BPF_X, SCRATCH, reg, 0, 0));
        emit(insns, n, INSN(BPF_ALU | BPF_XOR | BPF_K, SCRATCH, 0, 0, (int32_t)value));
        emit(insns, n, INSN(BPF_JMP | BPF_JNE | BPF_K, SCRATCH, 0, 0, 0));
}

static int32_t type_bits(const struct cgroup_device *rule) {
        return rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
}

/* A rule that allows all of a device, or of a driver's devices, as most do: one comparison says yes, after which the
 * verifier has nothing more to follow. */
static bool is_plain(const struct cgroup_device *rule) {
        return rule->allow && rule->read && rule->write && rule->mknod && rule->type != 'a' && rule->major >= 0 &&
               rule->major < 1 << MAJOR_BITS && rule->minor < 1 << MINOR_BITS;
}

static void translate_plain(const struct cgroup_device *rule, struct bpf_insn *insns, size_t *n) {
        int32_t driver = type_bits(rule) << MAJOR_BITS | (int32_t)rule->major;
        uint64_t device = (uint64_t)driver << MINOR_BITS | (uint64_t)rule->minor;

        if (rule->minor < 0) {
                emit(insns, n, INSN(BPF_JMP | BPF_JEQ | BPF_K, DRIVER, 0, 0, driver));
                return;
        }
        emit(insns, n, INSN(BPF_LD | BPF_DW | BPF_IMM, SCRATCH, 0, 0, (int32_t)(uint32_t)device));
        emit(insns, n, INSN(0, 0, 0, 0, (int32_t)(device >> 32)));
        emit(insns, n, INSN(BPF_JMP | BPF_JEQ | BPF_X, DEVICE, SCRATCH, 0, 0));
}

static void translate_rule(const struct cgroup_device *rule, struct bpf_insn *insns, size_t *n) {
        size_t begin = *n;

        if (is_plain(rule)) {
                translate_plain(rule, insns, n);
                return;
        }
        if (rule->type != 'a')
                unless_equal(insns, n, TYPE, type_bits(rule));
        if (rule->major >= 0)
                unless_equal(insns, n, MAJOR, rule->major);
        if (rule->minor >= 0)
                unless_equal(insns, n, MINOR, rule->minor);
        for (size_t i = begin; i < *n; i++)
                if (BPF_CLASS(insns[i].code) == BPF_JMP)
                        insns[i].off = (int16_t)(*n + (rule->allow ? 2 : 4) - i - 1);
        if (rule->allow) {
                /* What is allowed needs no further rule; nothing left means yes. */
                emit(insns, n, INSN(BPF_ALU | BPF_AND | BPF_K, WANTED, 0, 0, ~access_bits(rule)));
                emit(insns, n, INSN(BPF_JMP | BPF_JEQ | BPF_K, WANTED, 0, 0, 0));
        } else {
                emit(insns, n, INSN(BPF_ALU | BPF_MOV | BPF_X, SCRATCH, WANTED, 0, 0));
                emit(insns, n, INSN(BPF_ALU | BPF_AND | BPF_K, SCRATCH, 0, 0, access_bits(rule)));
                emit(insns, n, INSN(BPF_JMP | BPF_JEQ | BPF_K, SCRATCH, 0, 1, 0));
                emit(insns, n, INSN(BPF_JMP | BPF_JA, 0, 0, 0, 0));
        }
}

static bool says_yes(const struct bpf_insn *insn) {
        return BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) == BPF_JEQ &&
               (insn->dst_reg == WANTED || insn->dst_reg == DEVICE || insn->dst_reg == DRIVER);
}

/* Where the jumps of the rules' ends go: allowing ones to "yes", denying ones to "no". */
static void patch_ends(struct bpf_insn *insns, size_t n, size_t yes, size_t no) {
        for (size_t i = 0; i < n; i++) {
                if (says_yes(&insns[i]))
                        insns[i].off = (int16_t)(yes - i - 1);
                else if (insns[i].code == (BPF_JMP | BPF_JA))
                        insns[i].off = (int16_t)(no - i - 1);
        }
}

/* Translates @rules. Each bit of the access asked for is decided by the last rule that names the device and the bit;
 * what none names is denied. Returns the number of instructions, at most CG_BPF_INSNS_PER_RULE a rule and
 * CG_BPF_INSNS_AROUND. */
static size_t translate(const struct cgroup_device *rules, size_t n_rules, struct bpf_insn *ret_insns) {
        const uint8_t load = BPF_LDX | BPF_MEM | BPF_W;
        size_t n = 0, body;

        emit(ret_insns, &n, INSN(load, TYPE, CONTEXT, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0));
        emit(ret_insns, &n, INSN(BPF_ALU | BPF_MOV | BPF_X, WANTED, TYPE, 0, 0));
        emit(ret_insns, &n, INSN(BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff));
        emit(ret_insns, &n, INSN(BPF_ALU | BPF_RSH | BPF_K, WANTED, 0, 0, 16));
        /* There are no other bits; that the verifier knows it spares it half of what it would follow. */
        emit(ret_insns, &n,
             INSN(BPF_ALU | BPF_AND | BPF_K, WANTED, 0, 0,
                  BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE));
        emit(ret_insns, &n, INSN(load, MAJOR, CONTEXT, offsetof(struct bpf_cgroup_dev_ctx, major), 0));
        emit(ret_insns, &n, INSN(load, MINOR, CONTEXT, offsetof(struct bpf_cgroup_dev_ctx, minor), 0));
        emit(ret_insns, &n, INSN(BPF_ALU64 | BPF_MOV | BPF_X, DRIVER, TYPE, 0, 0));
        emit(ret_insns, &n, INSN(BPF_ALU64 | BPF_LSH | BPF_K, DRIVER, 0, 0, MAJOR_BITS));
        emit(ret_insns, &n, INSN(BPF_ALU64 | BPF_OR | BPF_X, DRIVER, MAJOR, 0, 0));
        emit(ret_insns, &n, INSN(BPF_ALU64 | BPF_MOV | BPF_X, DEVICE, DRIVER, 0, 0));
        emit(ret_insns, &n, INSN(BPF_ALU64 | BPF_LSH | BPF_K, DEVICE, 0, 0, MINOR_BITS));
        emit(ret_insns, &n, INSN(BPF_ALU64 | BPF_OR | BPF_X, DEVICE, MINOR, 0, 0));
        body = n;
        /* The last rule that matches counts, so the last comes first. */
        for (size_t i = n_rules; i-- > 0;)
                translate_rule(&rules[i], ret_insns, &n);
        /* Asking for no access at all is fine, by whatever way it ends here. */
        emit(ret_insns, &n, INSN(BPF_JMP | BPF_JEQ | BPF_K, WANTED, 0, 0, 0));
        patch_ends(ret_insns + body, n - body, n - body + 2, n - body);
        emit(ret_insns, &n, INSN(BPF_ALU | BPF_MOV | BPF_K, RESULT, 0, 0, 0));
        emit(ret_insns, &n, INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
        emit(ret_insns, &n, INSN(BPF_ALU | BPF_MOV | BPF_K, RESULT, 0, 0, 1));
        emit(ret_insns, &n, INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
        return n;
}

static int load_program(const struct bpf_insn *insns, size_t n) {
        static const char license[] = "Apache-2.0"; /* no helper is called that asks for more */
        union bpf_attr attr = {
                .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                .insns = (uintptr_t)insns,
                .insn_cnt = (uint32_t)n,
                .license = (uintptr_t)license,
                .prog_name = PROGRAM_NAME,
        };

        return bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

static void program_done(struct cg_bpf_program *p) {
        close_fd(p->fd);
        free(p->insns);
}

void cg_bpf_cache_done(struct cg_bpf_cache *cache) {
        while (cache->n > 0)
                program_done(&cache->programs[--cache->n]);
        pthread_mutex_destroy(&cache->lock);
}

/* Loads @insns (taken over), or finds them loaded. Returns a descriptor of the caller's own. */
static int cached_program(struct cg_bpf_cache *cache, struct bpf_insn *insns, size_t n) {
        struct cg_bpf_program *p;
        int fd;

        for (size_t i = 0; i < cache->n; i++) {
                p = &cache->programs[i];
                if (p->n == n && memcmp(p->insns, insns, n * sizeof(*insns)) == 0) {
                        free(insns);
                        fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 3);
                        return fd < 0 ? -errno : fd;
                }
        }
        fd = load_program(insns, n);
        if (fd < 0) {
                free(insns);
                return fd;
        }
        if (cache->n < CG_BPF_CACHE_MAX) {
                p = &cache->programs[cache->n++];
        } else {
                p = &cache->programs[cache->oldest++ % CG_BPF_CACHE_MAX];
                program_done(p);
        }
        *p = (struct cg_bpf_program){ .insns = insns, .n = n, .fd = fd };
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? -errno : fd;
}

static int load_rules(struct cg_bpf_cache *cache, const struct cgroup_device *rules, size_t n_rules) {
        struct bpf_insn *insns = calloc(n_rules * CG_BPF_INSNS_PER_RULE + CG_BPF_INSNS_AROUND, sizeof(*insns));
        size_t n;
        int fd;

        if (!insns)
                return -ENOMEM;
        n = translate(rules, n_rules, insns);
        pthread_mutex_lock(&cache->lock);
        fd = cached_program(cache, insns, n);
        pthread_mutex_unlock(&cache->lock);
        return fd;
}

/* The program's id when it is one of ours, else 0. */
static uint32_t our_id(int program_fd) {
        struct bpf_prog_info info = { 0 };
        union bpf_attr attr = {
                .info = { .bpf_fd = (uint32_t)program_fd, .info_len = sizeof(info), .info = (uintptr_t)&info }
        };

        if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) < 0 || strcmp(info.name, PROGRAM_NAME) != 0)
                return 0;
        return info.id;
}

bool cg_bpf_usable(const char *path) {
        _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        union bpf_attr attr = { .query = { .target_fd = (uint32_t)dir, .attach_type = BPF_CGROUP_DEVICE } };

        return dir >= 0 && bpf(BPF_PROG_QUERY, &attr, sizeof(attr)) == 0;
}

/* The program that was attached here before; -ENOENT when there is none. */
static int find_attached(int dir_fd) {
        uint32_t ids[PROGRAMS_MAX];
        union bpf_attr attr = {
                .query = { .target_fd = (uint32_t)dir_fd,
                           .attach_type = BPF_CGROUP_DEVICE,
                           .prog_ids = (uintptr_t)ids,
                           .prog_cnt = PROGRAMS_MAX },
        };
        int r = bpf(BPF_PROG_QUERY, &attr, sizeof(attr));

        if (r < 0)
                return r;
        for (uint32_t i = 0; i < attr.query.prog_cnt; i++) {
                union bpf_attr by_id = { .prog_id = ids[i] };
                _cleanup_close_ int fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id, sizeof(by_id));

                if (fd >= 0 && our_id(fd))
                        return TAKE_FD(fd);
        }
        return -ENOENT;
}

int cg_bpf_attach(struct cg_bpf_cache *cache, int dir_fd, const struct cgroup_device *rules, size_t n_rules,
                  struct err **err) {
        _cleanup_close_ int old = find_attached(dir_fd), program = load_rules(cache, rules, n_rules);
        union bpf_attr attr = { 0 };
        int r;

        if (program < 0)
                return err_errno(err, -program, "device filter: load %zu rules", n_rules);
        if (old >= 0 && our_id(old) == our_id(program))
                return 0;
        attr.target_fd = (uint32_t)dir_fd;
        attr.attach_bpf_fd = (uint32_t)program;
        attr.attach_type = BPF_CGROUP_DEVICE;
        attr.attach_flags = BPF_F_ALLOW_MULTI;
        if (old >= 0) {
                attr.attach_flags |= BPF_F_REPLACE;
                attr.replace_bpf_fd = (uint32_t)old;
        }
        r = bpf(BPF_PROG_ATTACH, &attr, sizeof(attr));
        return r < 0 ? err_errno(err, -r, "device filter: attach") : 0;
}
