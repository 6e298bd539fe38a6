// Debian's libgcc_eh.a is made for glibc and needs this from the C library, but musl lacks it. Without it, a panic in a program
// for musl cannot unwind. See ci/musl.
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>

// glibc's <dlfcn.h> has this. The fields that libgcc reads are the first ones.
struct dl_find_object {
    unsigned long long flags;
    void *map_start, *map_end, *link_map, *eh_frame;
    unsigned long long reserved[7];
};

// libgcc refers to these weakly, which takes nothing out of an archive, and calls them if it finds any of them.
__attribute__((used)) static void *const threads[] = {
    pthread_once,       pthread_key_create,   pthread_getspecific, pthread_setspecific,
    pthread_mutex_lock, pthread_mutex_unlock,
};

// A static program is a single object, which contains every address.
static int look(struct dl_phdr_info *object, size_t size, void *result) {
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type == PT_GNU_EH_FRAME) {
            ((struct dl_find_object *)result)->eh_frame = (void *)(object->dlpi_addr + header->p_vaddr);
            return 1;
        }
    }
    return 0;
}

int _dl_find_object(void *pc, struct dl_find_object *result) {
    (void)pc;
    return dl_iterate_phdr(look, result) ? 0 : -1;
}
