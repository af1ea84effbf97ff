/*
 * value_unique.c
 *		Long maps: made by hanging members on each other, and brought to one member
 *		of each key at the end, by sorting instead of looking each one up.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/value.h"

int
lyf_value_compare_keys(const void *a, const void *b)
{
	const LyfValue *x = *(const LyfValue *const *) a;
	const LyfValue *y = *(const LyfValue *const *) b;
	int			order = memcmp(x->key, y->key, Min(x->key_len, y->key_len));

	return order != 0 ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

/* A member and where it stands. */
typedef struct Placed
{
	LyfValue   *member;
	uint32		place;
} Placed;

static int
compare_placed(const void *a, const void *b)
{
	const Placed *x = a;
	const Placed *y = b;
	int			order = lyf_value_compare_keys(&x->member, &y->member);

	return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

void
lyf_value_unique(LyfValue *map)
{
	uint32		count = 0;
	uint32		i = 0;
	Placed	   *placed;
	LyfValue  **kept;
	LyfValue  **end = &map->u.first;

	lyf_foreach(member, map)
		count++;
	placed = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Placed) * ((Size) count + 1));
	kept = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(LyfValue *) * ((Size) count + 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	lyf_foreach(member, map)
	{
		placed[i].member = member;
		placed[i].place = i;
		i++;
	}
	qsort(placed, count, sizeof(Placed), compare_placed);
	for (uint32 first = 0, last; first < count; first = last + 1)
	{
		for (last = first; last + 1 < count; last++)
		{
			if (lyf_value_compare_keys(&placed[first].member, &placed[last + 1].member) != 0)
				break;
		}
		kept[placed[first].place] = placed[last].member;
	}
	map->len = 0;
	for (i = 0; i < count; i++)
	{
		if (kept[i] == NULL)
			continue;
		*end = kept[i];
		end = &kept[i]->next;
		map->len++;
	}
	*end = NULL;
	pfree(placed);
	pfree(kept);
}
